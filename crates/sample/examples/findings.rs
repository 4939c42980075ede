//! What the rules find over many invented households: `findings [households] [seed]`.

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let households = arguments.next().unwrap_or(10_000);
    println!("{}", ruhu_sample::leads(households, arguments.next().unwrap_or(1)));
}
