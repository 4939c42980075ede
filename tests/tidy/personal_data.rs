//! Certificate numbers (GB 11643) that could belong to a person.

/// The two numbers that the standard itself prints as examples.
const OF_THE_STANDARD: [&str; 2] = ["11010519491231002X", "440524188001010014"];

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The numbers in a text that pass the check digit, have a possible birth date, and come from an area
/// that is issued. Prefecture code 99 is not (`xx99`).
pub(crate) fn issued_numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        if !bytes[start].is_ascii_digit() {
            start += 1;
            continue;
        }
        let mut end = start;
        while end < bytes.len() && bytes[end].is_ascii_alphanumeric() {
            end += 1;
        }
        let word = &text[start..end];
        if [18, 20, 22].contains(&word.len()) && could_be_issued(&word[..18]) {
            found.push(word.to_owned());
        }
        start = end;
    }
    found
}

fn could_be_issued(number: &str) -> bool {
    let (digits, check) = number.split_at(17);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || &digits[2..4] == "99" {
        return false;
    }
    let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let expected = &"10X98765432"[(sum % 11) as usize..][..1];
    let year: u32 = digits[6..10].parse().unwrap();
    let month: u32 = digits[10..12].parse().unwrap();
    let dated = (1880..=2030).contains(&year) && (1..=12).contains(&month);
    dated && check == expected && !OF_THE_STANDARD.contains(&number)
}

#[test]
fn a_number_of_an_issued_area_is_found_and_an_invented_one_is_not() {
    let issued = concat!("430821", "19760315001");
    let with_check = (0..11).map(|index| format!("{issued}{}", &"10X98765432"[index..=index]));
    assert_eq!(with_check.filter(|number| could_be_issued(number)).count(), 1);
    assert!(issued_numbers("439921197603150018 11010519491231002X").is_empty());
}
