//! Whatever the text: no panic, every mistake has its place in the file, no secret gets out.

use std::fs;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;

use super::schema;
use super::stand_in::{BASE, SECRET, parse};

/// Pieces that a slip of the hand, or a paste, leaves in a config.
#[rustfmt::skip] // a heap
const PIECES: &[&str] = &[
    "\"", "'", "\"\"\"", "'''", "=", "[", "]", "[[", "]]", "{", "}", ",", ".", "#", "\n", "\r\n",
    "\\", "\0", "\u{feff}", "ü", "\u{2028}", " ", "1", "-", "true", "never", "[[route]]\n",
    "[route]\n", "[route.session]\n", "[listen]\n", "kind = \"jwt\"\n", "kind = \"none\"\n",
    "route = []\n", "a.b = 1\n", "{ env = \"UNSET\" }", "\"0s\"", "http://", "null",
];

/// A change of a text, at places that fit any text.
#[derive(Clone, Debug)]
enum Slip {
    Cut(Index, Index),
    Insert(Index, &'static str),
    Repeat(Index, Index),
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        holds(&text)?;
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in vec(select(PIECES), 0..40)) {
        holds(&pieces.concat())?;
    }

    #[test]
    fn any_slip_in_the_annotated_file_is_told(slips in slips()) {
        holds(&slipped(&annotated(), &slips))?;
    }

    #[test]
    fn no_slip_lets_a_secret_out(slip in small_slip()) {
        holds(&slipped(&careless(), &[slip]))?;
    }
}

/// Found by slips; the parser of URLs forgives white space at both ends.
#[test]
fn a_space_within_a_url_is_told() {
    let whole = annotated();
    for url in whole.match_indices("://").map(|(at, _)| at) {
        let start = whole[..url].rfind('"').unwrap_or(url) + 1;
        let end = url + whole[url..].find(['"', '\n']).unwrap();
        for at in [start, end] {
            let text = format!("{} {}", &whole[..at], &whole[at..]);
            holds(&text).unwrap();
        }
    }
}

#[test]
fn any_depth_is_read_or_refused() -> Result<(), TestCaseError> {
    let deep = 10_000;
    holds(&format!("a = {}", "[".repeat(deep)))?;
    holds(&format!("a = {}", "{ a = ".repeat(deep)))?;
    holds(&format!("a{} = 1", ".a".repeat(deep)))?;
    holds(&format!("[a{}]", ".a".repeat(deep)))
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let Err(mistakes) = parse(text) else {
        let refused = schema::refused(&schema::json(text));
        prop_assert!(
            refused.is_empty(),
            "the schema refuses what is read: {refused:#?}"
        );
        return Ok(());
    };
    prop_assert!(!mistakes.list().is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for mistake in mistakes.list() {
        let line = lines.get(mistake.line() - 1);
        prop_assert!(line.is_some(), "{mistakes}");
        let width = line.map_or(0, |line| line.chars().count());
        prop_assert!(mistake.column() <= width + 1, "{mistakes}");
        prop_assert!(!mistake.what().is_empty() && !mistake.instead().is_empty());
    }
    let page = mistakes.to_string();
    prop_assert!(!page.contains("canary") && !page.contains(SECRET), "{page}");
    Ok(())
}

fn annotated() -> String {
    fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/config/qix-proxy.toml"
    ))
    .unwrap()
}

/// A config whose author has yet to learn where secrets go. A comment before each is longer than
/// any cut, which would otherwise make a secret the value of another key.
fn careless() -> String {
    let comment = "# the secret\n";
    BASE.replace("{ env = \"IDENTITY\" }", "\"canary\"")
        .replace(
            "kind = \"none\"\n# it asks for nothing",
            &format!("shared = true\nkind = \"api-key\"\n{comment}key = \"canary\" # was canary"),
        )
        .replace(
            "audience = \"a\"",
            &format!("{comment}secret = 'canary'\n{comment}secrt = \"canary\""),
        )
        .replace(
            "https://t.example",
            "https://canary:canary@t.example?key=canary",
        )
}

fn slips() -> impl Strategy<Value = Vec<Slip>> {
    vec(slip(), 1..5)
}

fn slip() -> impl Strategy<Value = Slip> {
    let repeat = (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Slip::Repeat(from, to));
    prop_oneof![small_slip(), small_slip(), repeat]
}

/// A slip that carries no value from one key to another.
fn small_slip() -> impl Strategy<Value = Slip> {
    prop_oneof![
        (any::<Index>(), any::<Index>()).prop_map(|(at, length)| Slip::Cut(at, length)),
        (any::<Index>(), select(PIECES)).prop_map(|(at, piece)| Slip::Insert(at, piece)),
    ]
}

fn slipped(text: &str, slips: &[Slip]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for slip in slips {
        match slip {
            Slip::Cut(at, length) => {
                let at = at.index(text.len() + 1);
                let end = text.len().min(at + length.index(12));
                text.drain(at..end);
            }
            Slip::Insert(at, piece) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, piece.chars());
            }
            Slip::Repeat(from, to) => {
                let from = from.index(text.len() + 1);
                let piece = text[from..text.len().min(from + 40)].to_vec();
                let to = to.index(text.len() + 1);
                text.splice(to..to, piece);
            }
        }
    }
    text.into_iter().collect()
}
