//! Counts websocket frames in a stream of bytes, wherever it is cut. Payloads are not kept, but for
//! those of pings.

use super::ear::Heard;

/// One direction of a websocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; 14],
    have: usize,
    left: u64,
    message: u64,
    control: Vec<u8>,
}

impl Frames {
    /// Takes what came, and adds what it completes to `heard`.
    pub(super) fn take(&mut self, mut input: &[u8], heard: &mut Vec<Heard>) {
        loop {
            if !self.complete_head(&mut input) {
                return;
            }
            let length = usize::try_from(self.left).unwrap_or(usize::MAX);
            let part = &input[..length.min(input.len())];
            if self.is_control() {
                self.control.extend_from_slice(part);
            }
            self.left -= part.len() as u64;
            input = &input[part.len()..];
            if self.left > 0 {
                return;
            }
            self.end_frame(heard);
        }
    }

    /// Whether the header is whole; with its last byte, the payload's length is known.
    fn complete_head(&mut self, input: &mut &[u8]) -> bool {
        while self.have < self.head_length() {
            let Some((first, rest)) = input.split_first() else {
                return false;
            };
            self.head[self.have] = *first;
            self.have += 1;
            *input = rest;
            if self.have == self.head_length() {
                self.begin_frame();
            }
        }
        true
    }

    fn begin_frame(&mut self) {
        self.left = self.length();
        if !self.is_control() {
            self.message += self.left;
        }
    }

    fn head_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let extended = match self.head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + extended + if self.is_masked() { 4 } else { 0 }
    }

    fn length(&self) -> u64 {
        let wide = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        match self.head[1] & 0x7F {
            126 => wide(&self.head[2..4]),
            127 => wide(&self.head[2..10]),
            short => u64::from(short),
        }
    }

    fn end_frame(&mut self, heard: &mut Vec<Heard>) {
        let mask = self.is_masked().then(|| self.mask());
        match self.head[0] & 0x0F {
            8 => heard.push(Heard::Close),
            9 => heard.push(Heard::Ping(unmasked(&self.control, mask))),
            10 => {}
            _ if self.head[0] & 0x80 != 0 => {
                heard.push(Heard::Message(std::mem::take(&mut self.message)));
            }
            _ => {}
        }
        self.control.clear();
        self.have = 0;
    }

    fn is_control(&self) -> bool {
        self.head[0] & 0x08 != 0
    }

    fn is_masked(&self) -> bool {
        self.head[1] & 0x80 != 0
    }

    fn mask(&self) -> [u8; 4] {
        let end = self.have;
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.head[end - 4..end]);
        mask
    }
}

/// A frame with the FIN bit: `mask` for what a client says.
pub(super) fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(bit | u8::try_from(short).unwrap_or_default()),
        middle @ 126..65536 => {
            frame.push(bit | 0x7E);
            frame.extend(u16::try_from(middle).unwrap_or_default().to_be_bytes());
        }
        long => {
            frame.push(bit | 0x7F);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(
        mask.unwrap_or_default()
            .iter()
            .take(if mask.is_some() { 4 } else { 0 }),
    );
    frame.extend(unmasked(payload, mask));
    frame
}

fn unmasked(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mask = mask.unwrap_or_default();
    let masked = payload.iter().zip(mask.iter().cycle());
    masked.map(|(byte, mask)| byte ^ mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_wherever_they_are_cut() {
        let mask = Some([1, 2, 3, 4]);
        let mut stream = Vec::new();
        for length in [0, 125, 126, 65535, 65536] {
            stream.extend(frame(1, &vec![b'x'; length], mask));
            stream.extend(frame(9, b"beat", mask));
        }
        stream.extend([0x01, 0x81, 0, 0, 0, 0, b'a', 0x80, 0x81, 0, 0, 0, 0, b'b']);
        stream.extend(frame(8, b"", None));
        for piece in [1, 7, 4096, stream.len()] {
            let (mut frames, mut heard) = (Frames::default(), Vec::new());
            for part in stream.chunks(piece) {
                frames.take(part, &mut heard);
            }
            let beat = Heard::Ping(b"beat".to_vec());
            let mut wanted = Vec::new();
            for length in [0, 125, 126, 65535, 65536] {
                wanted.extend([Heard::Message(length), beat.clone()]);
            }
            wanted.extend([Heard::Message(2), Heard::Close]);
            assert_eq!(heard, wanted);
        }
    }
}
