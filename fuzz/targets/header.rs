//! A header is read as tungstenite reads it, and not before it is all there.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use qix_proxy_fuzz::ws::Header;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(header)) = Header::parse(bytes) else {
        return;
    };
    assert!(header.length <= bytes.len() && header.length <= 14);
    for end in 0..header.length {
        assert_eq!(Header::parse(&bytes[..end]), Ok(None));
    }
    assert_eq!(Header::parse(&bytes[..header.length]), Ok(Some(header)));
    let theirs = FrameHeader::parse(&mut Cursor::new(bytes));
    let (theirs, payload) = theirs.unwrap().unwrap();
    assert_eq!(theirs.is_final, header.fin);
    assert_eq!(theirs.mask, header.mask);
    assert_eq!(payload, header.payload);
    let reserved = u8::from(theirs.rsv1) << 2 | u8::from(theirs.rsv2) << 1 | u8::from(theirs.rsv3);
    assert_eq!(reserved, header.reserved);
});
