//! Websocket frames by hand.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A final text frame's first byte.
pub(crate) const TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;

/// A client's frame: its first byte, and a short payload under a mask.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    let length = u16::try_from(payload.len()).unwrap();
    if let short @ ..=125 = length {
        frame.push(MASKED + u8::try_from(short).unwrap());
    } else {
        frame.push(MASKED + 126);
        frame.extend_from_slice(&length.to_be_bytes());
    }
    frame.extend_from_slice(&mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// Reads a server's frame: its first byte and its payload; `None` at the end.
pub(crate) async fn read(io: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = io.read_u8().await.ok()?;
    let length = match io.read_u8().await.ok()? {
        126 => usize::from(io.read_u16().await.ok()?),
        127 => usize::try_from(io.read_u64().await.ok()?).unwrap(),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    io.read_exact(&mut payload).await.ok()?;
    Some((first, payload))
}
