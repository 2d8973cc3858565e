use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control as C, Data, OpCode};

use super::*;

const CLIENT: Stream = Stream {
    sender: Sender::Client,
    reserved: 0,
    max_message: u64::MAX,
};

/// What a stream says, however it was cut: data bytes run together, control frames between them.
#[derive(Debug, Eq, PartialEq)]
enum Said {
    Bytes(Vec<u8>),
    Control(Opcode, Vec<u8>),
}

fn listen(
    stream: Stream,
    chunks: &[&[u8]],
    until: Until,
) -> (Vec<Said>, Cursor, Option<Violation>) {
    let mut cursor = Cursor::new(stream);
    let mut said = Vec::new();
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match cursor.step(&mut input, until) {
                Ok(Some(Step::Data(bytes))) => append(&mut said, bytes),
                Ok(Some(Step::Header(bytes))) => append(&mut said, &bytes),
                Ok(Some(Step::Control(control))) => {
                    said.push(Said::Control(control.opcode, control.payload));
                }
                Ok(None) => break,
                Err(violation) => return (said, cursor, Some(violation)),
            }
        }
    }
    (said, cursor, None)
}

fn append(said: &mut Vec<Said>, bytes: &[u8]) {
    if let Some(Said::Bytes(run)) = said.last_mut() {
        run.extend_from_slice(bytes);
    } else {
        said.push(Said::Bytes(bytes.to_vec()));
    }
}

fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn frame(fin: bool, opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut out = vec![(if fin { 0x80 } else { 0x00 }) | opcode];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..65536 => {
            out.push(0x80 | 0x7E);
            out.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            out.push(0x80 | 0x7F);
            out.extend((long as u64).to_be_bytes());
        }
    }
    out.extend(key);
    let start = out.len();
    out.extend(payload);
    Mask(key).apply(&mut out[start..]);
    out
}

/// A lawful client stream: messages in fragments, control frames anywhere between frames.
fn lawful() -> impl Strategy<Value = (Vec<u8>, u64)> {
    let payload = prop_oneof![
        vec(any::<u8>(), 0..40),
        vec(any::<u8>(), 120..135),
        Just(vec![7; 65_600]),
    ];
    let control = (
        prop_oneof![Just(0x9u8), Just(0xA)],
        vec(any::<u8>(), 0..=125),
        any::<[u8; 4]>(),
    );
    let fragment = (payload, any::<[u8; 4]>(), vec(control, 0..2));
    vec((prop_oneof![Just(1u8), Just(2)], vec(fragment, 1..4)), 0..5).prop_map(|messages| {
        (
            messages.iter().flat_map(write_message).collect(),
            messages.len() as u64,
        )
    })
}

type Frame = (u8, Vec<u8>, [u8; 4]);
type Message = (u8, Vec<(Vec<u8>, [u8; 4], Vec<Frame>)>);

fn write_message((kind, fragments): &Message) -> Vec<u8> {
    let last = fragments.len() - 1;
    let mut bytes = Vec::new();
    for (n, (payload, key, controls)) in fragments.iter().enumerate() {
        bytes.extend(frame(
            n == last,
            if n == 0 { *kind } else { 0 },
            payload,
            *key,
        ));
        bytes.extend(
            controls
                .iter()
                .flat_map(|(opcode, payload, key)| frame(true, *opcode, payload, *key)),
        );
    }
    bytes
}

proptest! {
    #[test]
    fn any_chunking_says_the_same((bytes, messages) in lawful(), cuts in vec(any::<usize>(), 0..12)) {
        let (whole, at_end, _) = listen(CLIENT, &[&bytes], Until::Control);
        prop_assert_eq!(at_end.messages(), messages);
        prop_assert!(at_end.at_message_boundary() && at_end.at_frame_boundary());
        for until in [Until::Control, Until::FrameEnd, Until::MessageEnd] {
            let (said, cursor, violation) = listen(CLIENT, &split(&bytes, &cuts), until);
            prop_assert_eq!(violation, None);
            prop_assert_eq!(&said, &whole);
            prop_assert_eq!(cursor.messages(), messages);
        }
    }

    #[test]
    fn one_byte_at_a_time_says_the_same((bytes, _) in lawful()) {
        let bytes = &bytes[..bytes.len().min(3000)];
        let singles: Vec<&[u8]> = bytes.chunks(1).collect();
        let (whole, ..) = listen(CLIENT, &[bytes], Until::Control);
        let (said, ..) = listen(CLIENT, &singles, Until::MessageEnd);
        prop_assert_eq!(said, whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_chunking_changes_no_verdict(
        bytes in vec(any::<u8>(), 0..200), cuts in vec(any::<usize>(), 0..8), reserved in 0u8..8,
    ) {
        for sender in [Sender::Client, Sender::Server] {
            let stream = Stream { sender, reserved, max_message: 1 << 16 };
            let (whole, _, verdict) = listen(stream, &[&bytes], Until::Control);
            let (said, _, in_pieces) = listen(stream, &split(&bytes, &cuts), Until::Control);
            prop_assert_eq!(verdict, in_pieces);
            prop_assert_eq!(whole, said);
        }
    }

    #[test]
    fn headers_are_read_as_tungstenite_reads_them(bytes in vec(any::<u8>(), 0..20)) {
        let theirs = FrameHeader::parse(&mut std::io::Cursor::new(&bytes));
        match (Header::parse(&bytes), theirs) {
            (Ok(Some(ours)), Ok(Some((header, payload)))) => {
                prop_assert_eq!(ours.fin, header.is_final);
                prop_assert_eq!(ours.opcode.bits(), u8::from(header.opcode));
                prop_assert_eq!(ours.mask, header.mask);
                prop_assert_eq!(ours.payload, payload);
                let bits = u8::from(header.rsv1) << 2 | u8::from(header.rsv2) << 1 | u8::from(header.rsv3);
                prop_assert_eq!(ours.reserved, bits);
            }

            // Ours is stricter: lengths must be in their shortest form, and it judges the opcode
            // before the rest of the header has come.
            (Ok(None), Ok(None)) | (Err(Violation::BadLength), Ok(_)) | (Err(Violation::BadOpcode), _) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} / {theirs:?}"),
        }
    }

    #[test]
    fn a_message_is_unmasked_out_of_its_frames(
        fragments in vec((vec(any::<u8>(), 0..300), any::<[u8; 4]>()), 1..5),
    ) {
        let last = fragments.len() - 1;
        let mut raw = Vec::new();
        for (n, (payload, key)) in fragments.iter().enumerate() {
            raw.extend(frame(n == last, u8::from(n == 0), payload, *key));
        }
        let mut payload = vec![1, 2, 3];
        prop_assert_eq!(super::super::unmask_message(&raw, &mut payload), Opcode::Text);
        let sent: Vec<u8> = fragments.into_iter().flat_map(|(payload, _)| payload).collect();
        prop_assert_eq!(payload, sent);
    }
}

#[test]
fn violations_are_named() {
    let masked = |first: u8, second: u8| vec![first, second | 0x80, 1, 2, 3, 4];
    let table: Vec<(&str, Vec<u8>, Violation)> = vec![
        ("reserved opcode", masked(0x83, 0), Violation::BadOpcode),
        ("unmasked client", vec![0x81, 0], Violation::BadMask),
        (
            "rsv1 without deflate",
            masked(0xC1, 0),
            Violation::BadReserved,
        ),
        ("fragmented ping", masked(0x09, 0), Violation::BadControl),
        (
            "continuation of nothing",
            masked(0x80, 0),
            Violation::BadSequence,
        ),
        (
            "126 for a short length",
            vec![0x81, 0xFE, 0, 5],
            Violation::BadLength,
        ),
        (
            "127 for a medium length",
            vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
            Violation::BadLength,
        ),
        (
            "2^63",
            vec![0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0],
            Violation::BadLength,
        ),
        (
            "two messages at once",
            [masked(0x01, 0), masked(0x01, 0)].concat(),
            Violation::BadSequence,
        ),
    ];
    for (what, bytes, expected) in table {
        let (_, _, violation) = listen(CLIENT, &[&bytes], Until::Control);
        assert_eq!(violation, Some(expected), "{what}");
    }
    let small = Stream {
        max_message: 10,
        ..CLIENT
    };
    let six = [
        frame(false, 1, &[0; 6], [0; 4]),
        frame(true, 0, &[0; 6], [0; 4]),
    ]
    .concat();
    assert_eq!(
        listen(small, &[&six], Until::Control).2,
        Some(Violation::TooBig)
    );
    // What was over the limit is never handed out, its header neither.
    assert_eq!(listen(small, &[&six[..13]], Until::Control).0.len(), 1);
}

#[test]
fn what_we_make_tungstenite_reads() {
    use crate::fault::CloseCode;
    use crate::ws::{close_frame, message_frame, ping_frame};

    let close = close_frame(CloseCode::SESSION, "over", Some(Mask([9, 8, 7, 6])));
    let (header, length) = FrameHeader::parse(&mut std::io::Cursor::new(&close))
        .unwrap()
        .unwrap();
    assert_eq!((header.opcode, length), (OpCode::Control(C::Close), 6));
    let ping = ping_frame(&[1; 200], None);
    let (header, length) = FrameHeader::parse(&mut std::io::Cursor::new(&ping))
        .unwrap()
        .unwrap();
    assert_eq!(
        (header.opcode, length, header.mask),
        (OpCode::Control(C::Ping), 125, None)
    );
    for size in [0, 125, 126, 65_535, 65_536] {
        let text = message_frame(&vec![b'x'; size]);
        let (header, length) = FrameHeader::parse(&mut std::io::Cursor::new(&text))
            .unwrap()
            .unwrap();
        assert_eq!(
            (header.opcode, length),
            (OpCode::Data(Data::Text), size as u64)
        );
        assert_eq!(
            text.len() - size,
            text.len() - usize::try_from(length).unwrap()
        );
    }
}
