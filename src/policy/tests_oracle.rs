//! Whatever any reader could take for a denied call gets no leave: messages written oddly, judged,
//! and read again by `serde_json` as leniently as an engine might.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::sample::{Index, select};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, json};

use super::*;
use crate::id::{Issuer, Subject};

const MINE: &str = "app-a";

/// Methods of every sort, in the spelling of the engine.
const METHODS: [&str; 14] = [
    "OpenDoc",
    "OpenDoc",
    "GetDocList",
    "CreateSessionApp",
    "GetAppEntry",
    "CopyApp",
    "DeleteApp",
    "EngineVersion",
    "GetProgress",
    "DoReload",
    "DoSave",
    "ExportData",
    "GetLayout",
    "MadeUpYesterday",
];
/// Those of them that a consumer may call on the Global object.
const SHORT_LIST: [&str; 3] = ["opendoc", "engineversion", "getprogress"];
/// Those of them that a consumer may call on no handle.
const DENY_LIST: [&str; 7] = [
    "getdoclist",
    "getappentry",
    "copyapp",
    "deleteapp",
    "doreload",
    "dosave",
    "exportdata",
];
/// Those of them that name an app.
const NAMING: [(&str, &[(usize, &str)]); 5] = [
    ("opendoc", &[(0, "qdocname")]),
    ("getappentry", &[(0, "qappid")]),
    ("copyapp", &[(0, "qtargetappid"), (1, "qsrcappid")]),
    ("deleteapp", &[(0, "qappid")]),
    ("dosave", &[(0, "qfilename")]),
];

fn permit_of(methods: Methods) -> Permit {
    let access = Access {
        apps: Apps::Listed(vec![AppId::new(MINE)]),
        methods,
        session_apps: false,
    };
    let person = Person::new(Issuer::new("i"), Subject::new("s"), None, Map::new());
    permit(&access, &person, &Target::parse(&[MINE]).unwrap()).unwrap()
}

/// A message with its doubled keys, which `Value` alone would lose.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

/// A name as an engine that trims, folds case and stops at odd characters would take it.
fn folded(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric())
        .to_ascii_lowercase()
}

/// A handle as an engine that rounds, wraps and reads texts would take it.
#[expect(clippy::cast_possible_truncation, reason = "that is what it imitates")]
fn handles(value: &Value) -> Vec<i32> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        value => value.as_f64(),
    };
    let Some(number) = number else {
        return vec![-1];
    };
    vec![number as i32, number as i64 as i32, number as i128 as i32]
}

/// What a call names, positions and names alike.
fn names_other_app(method: &str, params: &Value) -> bool {
    let Some((_, parameters)) = NAMING.iter().find(|(naming, _)| *naming == method) else {
        return false;
    };
    parameters.iter().any(|(position, name)| {
        let given: Vec<&Value> = match params {
            Value::Array(values) => values.get(*position).into_iter().collect(),
            Value::Object(named) => named
                .iter()
                .filter(|(key, _)| folded(key) == *name)
                .map(|(_, value)| value)
                .collect(),
            _ => Vec::new(),
        };
        let open = method == "dosave" && given.iter().all(|value| **value == json!(""));
        !open && (given.is_empty() || given.iter().any(|value| **value != json!(MINE)))
    })
}

fn is_denied(methods: Methods, method: &str, handle: i32, params: &Value) -> bool {
    let global = handle <= 0;
    let by_profile = match methods {
        Methods::Consumer => {
            DENY_LIST.contains(&method) || (global && !SHORT_LIST.contains(&method))
        }
        Methods::Any => {
            let object = [
                "doreload",
                "dosave",
                "exportdata",
                "getlayout",
                "madeupyesterday",
            ];
            method == "getdoclist" || (global && object.contains(&method))
        }
    };
    by_profile || method == "createsessionapp" || names_other_app(method, params)
}

/// Whether any reading of the message is a denied call.
fn some_reading_is_denied(methods: Methods, payload: &[u8]) -> bool {
    if let Ok(calls) = serde_json::from_slice::<Vec<Value>>(payload) {
        return calls
            .iter()
            .any(|call| some_reading_is_denied(methods, call.to_string().as_bytes()));
    }
    let Ok(Pairs(pairs)) = serde_json::from_slice(payload) else {
        return false;
    };
    let values = |key: &str, absent: Value| {
        let found: Vec<Value> = pairs
            .iter()
            .filter(|(name, _)| folded(name) == key)
            .map(|(_, value)| value.clone())
            .collect();
        if found.is_empty() {
            vec![absent]
        } else {
            found
        }
    };
    let names = values("method", Value::Null);
    let all_handles = values("handle", json!(-1));
    let all_params = values("params", json!([]));
    names.iter().filter_map(Value::as_str).any(|name| {
        all_handles.iter().flat_map(handles).any(|handle| {
            all_params
                .iter()
                .any(|params| is_denied(methods, &folded(name), handle, params))
        })
    })
}

/// A JSON text of a string, with the characters of the mask escaped.
fn quoted(text: &str, mask: u32) -> String {
    let body: String = text
        .chars()
        .zip((0..32).cycle())
        .map(|(c, bit)| {
            if mask & (1 << bit) == 0 && !c.is_control() && c != '"' && c != '\\' {
                return c.to_string();
            }
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            units
                .map(|unit| format!("\\u{unit:04x}"))
                .collect::<Vec<_>>()
                .concat()
        })
        .collect();
    format!("\"{body}\"")
}

fn string(texts: Vec<&'static str>) -> impl Strategy<Value = String> {
    let mask = prop_oneof![3 => Just(0), 1 => any::<u32>()];
    (select(texts), mask).prop_map(|(text, mask)| quoted(text, mask))
}

fn key(name: &'static str, odd: Vec<&'static str>) -> impl Strategy<Value = String> {
    prop_oneof![12 => string(vec![name]), 1 => string(odd)]
}

fn method() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => string(METHODS.to_vec()),
        8 => string(vec!["OpenDoc"]),
        1 => string(vec!["opendoc", "OPENDOC", " OpenDoc", "OpenDoc\0", "DoReload\n", "dOrELOAD"]),
        1 => select(vec!["null", "7", "[\"DoReload\"]", "\"\""]).prop_map(str::to_owned),
    ]
}

fn handle() -> impl Strategy<Value = String> {
    let odd = vec![
        "-1.0",
        "-1e0",
        "-10E-1",
        "\"-1\"",
        "\"−1\"",
        "-0",
        "0",
        "-2",
        "4294967295",
        "null",
        "18446744073709551615",
        "99999999999999999999",
        "1e400",
        "[-1]",
        "true",
        "1.0",
        "-01",
    ];
    prop_oneof![4 => select(vec!["-1", "1", "2"]), 1 => select(odd)].prop_map(str::to_owned)
}

fn app() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => string(vec![MINE]),
        2 => string(vec!["app-b", "APP-A", "app-a\0", " app-a", "äpp", "", "😀"]),
        1 => select(vec!["null", "7", "[\"app-a\"]", "{\"qDocName\":\"app-a\"}"])
            .prop_map(str::to_owned),
    ]
}

fn parameter() -> impl Strategy<Value = String> {
    let any = string(vec![
        "qDocName",
        "qDocName",
        "qDocName",
        "qdocname",
        "qDocName ",
        "qAppId",
        "qAppID",
        "qSrcAppId",
        "qTargetAppId",
        "qFileName",
        "method",
        "params",
        "qOther",
    ]);
    prop_oneof![1 => string(vec!["qDocName"]), 1 => any]
}

fn params() -> impl Strategy<Value = String> {
    let named = vec((parameter(), app()), 0..4).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}:{v}")).collect();
        format!("{{{}}}", pairs.join(","))
    });
    let decoy = r#"{"method":"OpenDoc","handle":1,"params":["app-a"]}"#;
    prop_oneof![
        4 => vec(app(), 0..4).prop_map(|values| format!("[{}]", values.join(" , "))),
        4 => named,
        1 => select(vec![decoy, "null", "\"app-a\"", "[[\"app-a\"]]", "[1e999]", "[\"\\ud800\"]"])
            .prop_map(str::to_owned),
    ]
}

fn pair() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (key("method", vec!["Method", "method "]), method()),
        (key("handle", vec!["HANDLE", " handle"]), handle()),
        (key("params", vec!["Params", "params\t"]), params()),
        (key("id", vec!["ID", "x"]), handle()),
        (key("delta", vec!["y"]), Just("true".to_owned())),
    ]
}

/// A message of one call, mostly well made.
fn message() -> impl Strategy<Value = String> {
    let call = (
        (
            key("method", vec!["Method", "method\0", "mеthod"]),
            method(),
        ),
        (key("handle", vec!["Handle", "handle "]), handle()),
        (key("params", vec!["PARAMS", "\u{feff}params"]), params()),
        prop_oneof![3 => Just(Vec::new()), 1 => vec(pair(), 1..3)],
    )
        .prop_map(|(method, handle, params, more)| [vec![method, handle, params], more].concat())
        .prop_shuffle();
    let space = || prop_oneof![6 => Just(""), 2 => select(vec![" ", "\r\n", "\t", "\u{a0}", "\u{b}", "/**/"])];
    let wrap = prop_oneof![
        12 => Just(("", "")),
        1 => select(vec![("[", "]"), ("\u{feff}", ""), ("", "x"), ("", "\0"), ("\n", " "), ("{\"a\":", "}")]),
    ];
    (call, space(), space(), wrap).prop_map(|(pairs, before, after, (open, close))| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| format!("{before}{key}{after}:{before}{value}{after}"))
            .collect();
        format!("{open}{{{}}}{close}", pairs.join(","))
    })
}

fn methods() -> impl Strategy<Value = Methods> {
    select(vec![Methods::Consumer, Methods::Any])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn no_reading_of_what_passes_is_a_denied_call(message in message(), methods in methods()) {
        if permit_of(methods).judge(MessageKind::Text, message.as_bytes()) == Verdict::Pass {
            let read = serde_json::from_str::<Value>(&message);
            prop_assert!(read.is_ok_and(|value| value.is_object()));
            prop_assert!(!some_reading_is_denied(methods, message.as_bytes()));
        }
    }

    #[test]
    fn nor_of_what_was_broken_on_the_way(
        message in message(),
        methods in methods(),
        harm in vec((any::<Index>(), select(b"\0\"\\{}[],: \x80\xc3e-1mM".to_vec())), 1..4),
    ) {
        let mut payload = message.into_bytes();
        for (place, byte) in harm {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        let verdict = permit_of(methods).judge(MessageKind::Text, &payload);
        if verdict == Verdict::Pass {
            prop_assert!(serde_json::from_slice::<Value>(&payload).is_ok());
            prop_assert!(!some_reading_is_denied(methods, &payload));
        }
    }

    #[test]
    fn a_plain_call_is_judged_as_the_oracle_judges_it(
        method in select(METHODS.to_vec()),
        handle in select(vec![-1, 1, 7]),
        app in select(vec![MINE, "app-b", ""]),
        second in select(vec![MINE, "app-b"]),
        methods in methods(),
    ) {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "handle": handle, "method": method, "params": [app, second],
        });
        let message = serde_json::to_vec_pretty(&call).unwrap();
        let passes = permit_of(methods).judge(MessageKind::Text, &message) == Verdict::Pass;
        prop_assert_eq!(passes, !some_reading_is_denied(methods, &message), "{}", call);
    }

    #[test]
    fn bytes_of_any_kind_are_judged_without_a_panic(payload in vec(any::<u8>(), 0..64)) {
        let verdict = permit_of(Methods::Consumer).judge(MessageKind::Text, &payload);
        prop_assert!(verdict != Verdict::Pass);
    }
}
