//! A link between a client and a server that echoes.

use std::io::{Read, Write};

use super::*;

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// A server that sends back what it gets; its address.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(LOOPBACK)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = stream.try_clone().unwrap();
            thread::spawn(move || std::io::copy(&mut reader, &mut stream));
        }
    });
    address
}

const FAST: Shape = Shape {
    up_bits: 800_000,
    down_bits: 8_000_000,
    round_trip: Duration::from_millis(40),
    cut_every: None,
    cut_after: None,
    gathers_requests: false,
};

fn open(shape: Shape) -> Link {
    Link::open(SocketAddr::from(LOOPBACK), echo(), shape).unwrap()
}

#[test]
fn what_is_sent_takes_the_time_of_its_bits_and_of_the_way() {
    let link = open(FAST);
    let began = now();
    let mut stream = TcpStream::connect(link.address()).unwrap();
    let sent = vec![7; 20_000];
    stream.write_all(&sent).unwrap();
    let mut back = vec![0; sent.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, sent);
    // 200 ms of bits, one round trip to connect and one there and back.
    assert!(now() - began >= Duration::from_millis(280));
    let counted = link.counted();
    assert_eq!((counted.up_bytes, counted.down_bytes, counted.connections), (20_000, 20_000, 1));
}

#[test]
fn a_connection_is_cut_after_so_many_bytes_and_the_next_one_after_as_many() {
    let link = open(Shape { cut_after: Some(10_000), ..FAST });
    for connection in 1..=2 {
        let mut stream = TcpStream::connect(link.address()).unwrap();
        drop(stream.write_all(&[7; 9_999]));
        let mut back = vec![0; 9_999];
        stream.read_exact(&mut back).unwrap();
        drop(stream.write_all(&[7; 5_000]));
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.len() <= 1);
        while link.counted().cuts < connection {
            thread::yield_now();
        }
        assert_eq!(link.counted().up_bytes, connection * 10_000);
    }
}

#[test]
fn a_cut_drops_both_directions_in_the_middle() {
    let link = open(Shape { cut_every: Some(Duration::from_millis(150)), ..FAST });
    let mut stream = TcpStream::connect(link.address()).unwrap();
    drop(stream.write_all(&vec![7; 100_000]));
    let mut back = Vec::new();
    drop(stream.read_to_end(&mut back));
    assert!(back.len() < 100_000);
    while link.counted().cuts == 0 {
        thread::yield_now();
    }
    assert!((1..100_000).contains(&link.counted().up_bytes));
    // The next connection is as good as the first.
    assert!(TcpStream::connect(link.address()).unwrap().write_all(b"x").is_ok());
}

#[test]
fn a_link_that_gathers_passes_nothing_of_half_a_request() {
    let link = open(Shape { gathers_requests: true, ..FAST });
    let mut stream = TcpStream::connect(link.address()).unwrap();
    let request = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
    let (half, rest) = request.split_at(40);
    stream.write_all(half).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "nothing came back, for nothing went there");
    assert_eq!(link.counted().up_bytes, 0);
    stream.write_all(rest).unwrap();
    stream.set_read_timeout(None).unwrap();
    let mut back = vec![0; request.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, request);
}
