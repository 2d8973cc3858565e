//! The path of a request-target, split and then decoded, once.

use std::borrow::Cow;

use crate::fault::Fault;

/// The decoded segments of an origin-form request-target; the query is dropped, and so is the
/// empty segment behind a trailing slash.
///
/// Whatever a second reader could take for another path is refused: encoded slashes, backslashes,
/// dot segments, empty segments, control characters, what is not UTF-8.
pub(super) fn segments(target: &str) -> Result<Vec<Cow<'_, str>>, Fault> {
    let path = target
        .split_once('?')
        .map_or(target, |(path, _query)| path)
        .strip_prefix('/')
        .ok_or(Fault::BadRequest)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    // `/` has no segment; `//` was not emptied by the one slash taken off and is refused below.
    if path.is_empty() && !target.starts_with("//") {
        return Ok(Vec::new());
    }
    path.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<Cow<'_, str>, Fault> {
    if !raw.bytes().all(may_stand_raw) {
        return Err(Fault::BadRequest);
    }
    let text = decode(raw)?;
    let tricks = text.is_empty()
        || text == "."
        || text == ".."
        || text.contains(|c: char| c == '/' || c == '\\' || c.is_control());
    if tricks {
        return Err(Fault::BadRequest);
    }
    Ok(text)
}

/// Visible ASCII (RFC 3986 and what browsers leave raw beside it), but no fragment.
fn may_stand_raw(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Fault> {
    let Some(first) = raw.find('%') else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut bytes = Vec::with_capacity(raw.len());
    bytes.extend_from_slice(&raw.as_bytes()[..first]);
    let mut rest = &raw.as_bytes()[first..];
    while let [byte, tail @ ..] = rest {
        rest = tail;
        bytes.push(if *byte == b'%' {
            escaped(&mut rest)?
        } else {
            *byte
        });
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| Fault::BadRequest)
}

fn escaped(rest: &mut &[u8]) -> Result<u8, Fault> {
    let [high, low, tail @ ..] = *rest else {
        return Err(Fault::BadRequest);
    };
    *rest = tail;
    Ok(nibble(*high)? << 4 | nibble(*low)?)
}

fn nibble(digit: u8) -> Result<u8, Fault> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(Fault::BadRequest),
    }
}
