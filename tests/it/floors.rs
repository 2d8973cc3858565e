//! The house: imports run downward only, as the map in `lib.rs` has it, and no file grows too long.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest that a file may be, in lines, without its tests.
const LONGEST: usize = 450;
/// The floor of the rooms whose neighbours are strangers.
const HANDS: usize = 3;
/// The highest floor without sockets and clocks.
const PURE: usize = 1;
/// The rooms to which strangers bring what may be a secret.
const MET_BY_STRANGERS: [&str; 6] = ["admin", "gate", "quota", "replicas", "server", "session"];
/// What is above all floors: it builds the house.
const ROOF: [&str; 4] = ["lib", "main", "proxy", "runtime"];
/// What needs a socket, a runtime or a clock.
const IMPURE: [&str; 15] = [
    "tokio::",
    "tokio_rustls",
    "tokio_util",
    "hyper::",
    "hyper_util",
    "reqwest",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "async fn",
];

/// A file of the product, without its tests.
struct Source {
    path: PathBuf,
    /// The room it belongs to.
    room: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let place = path.strip_prefix(root).unwrap().to_owned();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name.starts_with("test") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, sources);
            continue;
        }
        let first = place.to_str().unwrap().split('/').next().unwrap();
        let text = without_tests(&fs::read_to_string(&path).unwrap());
        sources.push(Source {
            room: first.trim_end_matches(".rs").to_owned(),
            path: place,
            text,
        });
    }
}

/// Tests stand last in a file; a test module in a file of its own is one line.
fn without_tests(text: &str) -> String {
    let Some((code, tests)) = text.split_once("#[cfg(test)]\nmod tests {") else {
        return text.to_owned();
    };
    assert!(
        tests.ends_with("\n}\n"),
        "something stands behind the tests"
    );
    code.to_owned()
}

/// The floors as `lib.rs` draws them.
fn floors() -> BTreeMap<String, usize> {
    let map = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let modules: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let drawn = map.lines().filter_map(|line| {
        let words = line.strip_prefix("//! ")?;
        let floor: usize = words.split(' ').next()?.parse().ok()?;
        Some((floor, words))
    });
    let mut floors = BTreeMap::new();
    for (floor, words) in drawn {
        // The name of the floor, its rooms, and then what is said of it.
        let rooms = words.split_whitespace().skip(2);
        let rooms = rooms.take_while(|word| modules.contains(word));
        floors.extend(rooms.map(|room| (room.to_owned(), floor)));
    }
    for module in modules {
        let known = floors.contains_key(module) || ROOF.contains(&module);
        assert!(known, "the map in lib.rs does not show `{module}`");
    }
    floors
}

/// How long a comparison takes must not say how much of a secret was right: hashes are looked up, and
/// what is compared is compared by `hmac::verify` or `verify_slices_are_equal`.
#[test]
fn no_secret_is_compared_byte_by_byte() {
    let brought = |source: &Source| MET_BY_STRANGERS.contains(&source.room.as_str());
    for source in sources().into_iter().filter(brought) {
        for line in source.text.lines() {
            let compared = ["==", "!=", "starts_with(", ".contains(", ".eq("];
            let compared = compared.iter().any(|by| line.contains(by));
            let shows = line.contains(".expose_secret()") || line.contains(".expose()");
            assert!(!(compared && shows), "{}: {line}", source.path.display());
        }
    }
}

#[test]
fn the_page_draws_the_same_house() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let map = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let floors = map
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let mut drawn = 0;
    for floor in floors {
        assert!(page.lines().any(|line| line == floor), "{floor}");
        drawn += 1;
    }
    assert_eq!(drawn, 6);
}

/// The rooms that a text speaks of as `crate::room`.
fn imports(text: &str) -> Vec<&str> {
    let mentions = text.split("crate::").skip(1);
    mentions
        .map(|rest| {
            let end = rest.find(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn imports_run_downward_and_hands_know_no_hand() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = floors.get(&source.room) else {
            assert!(ROOF.contains(&source.room.as_str()), "{:?}", source.path);
            continue;
        };
        for import in imports(&source.text) {
            if import == source.room {
                continue;
            }
            let Some(floor) = floors.get(import) else {
                wrong.push(format!("{:?} imports `{import}`", source.path));
                continue;
            };
            if floor > own || (floor == own && *own == HANDS) {
                wrong.push(format!(
                    "{:?} (floor {own}) imports {import} ({floor})",
                    source.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_floors_have_no_sockets_and_no_clocks() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources() {
        if floors.get(&source.room).is_none_or(|floor| *floor > PURE) {
            continue;
        }
        for impure in IMPURE {
            if source.text.contains(impure) {
                wrong.push(format!("{:?} has {impure}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{:?} has {lines} lines", source.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert_eq!(
        imports("use crate::config::X;\ncrate::ws::y()"),
        ["config", "ws"]
    );
    let text = "code\n#[cfg(test)]\nmod tests {\n    use crate::server;\n}\n";
    assert_eq!(without_tests(text), "code\n");
    let floors = floors();
    assert_eq!(
        (floors["id"], floors["config"], floors["session"]),
        (0, 1, 3)
    );
    assert_eq!((floors["relay"], floors["server"]), (4, 5));
}
