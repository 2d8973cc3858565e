//! What is written in pieces.

use std::io::IoSlice;

use super::*;

/// What TLS 1.3 adds to a record: its head, the kind of what is in it, and a tag.
const ADDED: usize = 5 + 1 + 16;

#[tokio::test]
async fn a_frame_and_its_head_are_one_record() {
    let (mut client, mut server) = pair(&TLS13, 1 << 20).await;
    // The ticket goes with the first words.
    server.write_all(b"x").await.unwrap();
    client.hear(1).await;

    let (head, rest) = ([1; 256], vec![2; (16 << 10) - 256]);
    assert!(server.is_write_vectored());
    let pieces = [&head[..], b"", &rest].map(IoSlice::new);
    let written = server.write_vectored(&pieces).await.unwrap();
    assert_eq!(written, 16 << 10);
    let mut raw = vec![0; 20 << 10];
    let length = client.io.read(&mut raw).await.unwrap();
    assert_eq!(length, (16 << 10) + ADDED, "one record");
    client.take_all(&raw[..length]).unwrap();
    assert_eq!(client.hear(16 << 10).await, [&head[..], &rest].concat());
}

#[tokio::test]
async fn no_more_is_taken_of_pieces_than_goes_at_once() {
    let (mut client, mut server) = pair(&TLS13, 1 << 20).await;
    let piece = vec![3; 50 << 10];
    let pieces = [&piece[..], &piece].map(IoSlice::new);
    let written = server.write_vectored(&pieces).await.unwrap();
    assert_eq!(written, 64 << 10);
    assert_eq!(client.hear(written).await, vec![3; 64 << 10]);
}
