//! However a stream is cut, the cursor hands out the same bytes, in order, each once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qix_proxy_fuzz::ws::{Cursor, Sender, Step, Stream, Until, Violation};

/// What came out, and where it ended.
#[derive(Debug, Eq, PartialEq)]
struct Walk {
    out: Vec<u8>,
    controls: usize,
    messages: u64,
    boundaries: (bool, bool),
    violation: Option<Violation>,
}

/// How payload is passed.
#[derive(Clone, Copy)]
enum Way {
    Read(Until),
    /// What a data frame has left goes on unseen before each step.
    Skip,
}

fn walk(stream: Stream, chunks: &[&[u8]], way: Way) -> Walk {
    let mut cursor = Cursor::new(stream);
    let (mut out, mut controls, mut violation) = (Vec::new(), 0, None);
    'all: for chunk in chunks {
        let mut input = *chunk;
        loop {
            let until = match way {
                Way::Read(until) => until,
                Way::Skip => {
                    let left = usize::try_from(cursor.left()).unwrap_or(usize::MAX);
                    let (unseen, rest) = input.split_at(left.min(input.len()));
                    cursor.skip(unseen.len());
                    out.extend_from_slice(unseen);
                    input = rest;
                    Until::Control
                }
            };
            match cursor.step(&mut input, until) {
                Ok(None) => break,
                Ok(Some(Step::Data(bytes))) => out.extend_from_slice(bytes),
                Ok(Some(Step::Header(bytes))) => out.extend(bytes),
                Ok(Some(Step::Control(control))) => {
                    controls += 1;
                    out.extend(control.raw);
                }
                Err(found) => {
                    violation = Some(found);
                    break 'all;
                }
            }
        }
        assert!(input.is_empty(), "all of it is taken");
    }
    Walk {
        out,
        controls,
        messages: cursor.messages(),
        boundaries: (cursor.at_frame_boundary(), cursor.at_message_boundary()),
        violation,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[ways, cut], frames)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let stream = Stream {
        sender: if ways & 1 == 0 {
            Sender::Client
        } else {
            Sender::Server
        },
        reserved: if ways & 2 == 0 { 0 } else { 4 },
        max_message: if ways & 4 == 0 { u64::MAX } else { 300 },
    };
    let whole = walk(stream, &[frames], Way::Read(Until::Control));
    assert!(frames.starts_with(&whole.out), "verbatim");
    assert!(frames.len() - whole.out.len() < 14 + 125 || whole.violation.is_some());
    let pieces: Vec<&[u8]> = frames.chunks(1 + usize::from(cut % 19)).collect();
    let read = [Until::Control, Until::FrameEnd, Until::MessageEnd].map(Way::Read);
    for way in read.into_iter().chain([Way::Skip]) {
        assert_eq!(walk(stream, &pieces, way), whole);
        assert_eq!(walk(stream, &[frames], way), whole);
    }
});
