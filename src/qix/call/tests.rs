use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::qix::Denial;

const DOC: Parameter = Parameter {
    name: "qDocName",
    position: 0,
};
const SECOND: Parameter = Parameter {
    name: "qSrcAppId",
    position: 1,
};

fn denial(message: &[u8]) -> Value {
    let json = match Call::read(message) {
        Ok(call) => Denial::of_call(&call).to_json(),
        Err(message) => Denial::of_unreadable(&message).to_json(),
    };
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn what_the_libraries_send_is_read() {
    let message = br#"{"jsonrpc":"2.0","id":6,"handle":-1,"method":"OpenDoc",
        "params":["app","","","",false],"delta":true,"return_empty":true,"outKey":-1}"#;
    let call = Call::read(message).unwrap();
    assert_eq!(call.id(), Some(&Id::Number(6.into())));
    assert_eq!(call.method(), "OpenDoc");
    assert!(call.is_global());
    assert_eq!(call.argument(&DOC), Argument::Text("app"));
    assert_eq!(call.argument(&SECOND), Argument::Text(""));
    assert!(matches!(call.method, Cow::Borrowed(_)));
}

#[test]
fn a_call_is_global_unless_its_handle_is_an_object_s() {
    let table = [
        (r#""handle":-1,"#, true),
        (r#""handle":0,"#, true),
        (r#""handle":-2,"#, true),
        ("", true),
        (r#""handle":1,"#, false),
        (r#""handle":2147483647,"#, false),
    ];
    for (handle, global) in table {
        let message = format!(r#"{{{handle}"method":"M"}}"#);
        let call = Call::read(message.as_bytes()).unwrap();
        assert_eq!(call.is_global(), global, "{message}");
    }
}

#[test]
fn an_argument_is_given_by_position_or_by_name() {
    let table = [
        (r#"["a"]"#, Argument::Text("a")),
        (r#"["\u0061\ud83d\ude00"]"#, Argument::Text("a😀")),
        (r#"[7,"a"]"#, Argument::Odd),
        (r#"[["a"]]"#, Argument::Odd),
        ("[null]", Argument::Odd),
        ("[]", Argument::Absent),
        ("{}", Argument::Absent),
        (r#"{"qDocName":"a"}"#, Argument::Text("a")),
        (
            r#"{"q\u0044ocName":"a","qNoData":{"qDocName":"b"}}"#,
            Argument::Text("a"),
        ),
        (r#"{"qdocname":"a"}"#, Argument::Odd),
        (r#"{"qDocName":{"qDocName":"a"}}"#, Argument::Odd),
        (r#"{"qOther":"a"}"#, Argument::Absent),
    ];
    for (params, argument) in table {
        let message = format!(r#"{{"params":{params},"method":"OpenDoc"}}"#);
        let call = Call::read(message.as_bytes()).unwrap();
        assert_eq!(call.argument(&DOC), argument, "{message}");
    }
}

/// Each is no call, or one that two readers could read differently.
#[rustfmt::skip] // a row a message
const UNREADABLE: &[&str] = &[
    "",
    "{}",
    "null",
    "17",
    r#""OpenDoc""#,
    "[]",
    r#"[{"method":"M"}]"#,
    r#"{"id":1,"result":{}}"#,
    r#"{"method":"M"}x"#,
    r#"{"method":"M"}{"method":"M"}"#,
    r#"{"method":"M""#,
    r#"{"method":"M",}"#,
    "{'method':'M'}",
    r#"{method:"M"}"#,
    r#"{"method":"M"/**/}"#,
    "\u{feff}{\"method\":\"M\"}",
    "{\"method\":\"M\"}\0",
    "{\"method\":\"M\",\u{a0}\"id\":1}",
    r#"{"method":"M","method":"M"}"#,
    r#"{"method":"M","\u006dethod":"N"}"#,
    r#"{"method":"M","Method":"N"}"#,
    r#"{"method":"M","method ":"N"}"#,
    r#"{"method":"M","method\u0000":"N"}"#,
    r#"{"method":"M","":1}"#,
    r#"{"method":"M","x":1,"X":1}"#,
    r#"{"method":"M","handle":1,"HANDLE":-1}"#,
    r#"{"method":"M","handle":1,"handle":-1}"#,
    r#"{"method":"M","params":[],"params":["a"]}"#,
    r#"{"method":"M","params":{"q":1,"q":2}}"#,
    r#"{"method":"M","params":{"qDocName":"a","qdocname":"b"}}"#,
    r#"{"method":"M","params":{"qDocName":"a","qDocName ":"b"}}"#,
    r#"{"method":"M","params":"a"}"#,
    r#"{"method":"M","params":null}"#,
    r#"{"method":"M","params":["\ud800"]}"#,
    r#"{"method":"M","params":[1e999]}"#,
    r#"{"method":"M","params":[01]}"#,
    "{\"method\":\"M\",\"params\":[\"\n\"]}",
    r#"{"method":"M","handle":-1.0}"#,
    r#"{"method":"M","handle":-1e0}"#,
    r#"{"method":"M","handle":-0}"#,
    r#"{"method":"M","handle":"-1"}"#,
    r#"{"method":"M","handle":null}"#,
    r#"{"method":"M","handle":4294967295}"#,
    r#"{"method":"M","handle":18446744073709551615}"#,
    r#"{"method":"M","handle":99999999999999999999}"#,
    r#"{"method":"M","id":1.5}"#,
    r#"{"method":"M","id":null}"#,
    r#"{"method":"M","id":[1]}"#,
    r#"{"method":["M"]}"#,
    r#"{"method":""}"#,
    r#"{"method":" OpenDoc"}"#,
    r#"{"method":"OpenDoc\u0000"}"#,
    r#"{"method":"Opendoſ"}"#,
];

#[test]
fn what_two_readers_could_read_differently_is_unreadable() {
    for message in UNREADABLE {
        assert!(Call::read(message.as_bytes()).is_err(), "{message}");
    }
    assert!(Call::read(b"{\"method\":\"M\",\"params\":[\"\xff\"]}").is_err());
}

#[test]
fn depth_and_keys_are_limited() {
    let deep = |depth| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"method":"M","params":{open}{close}}}"#)
    };
    let wide = |keys| {
        let keys: Vec<_> = (0..keys).map(|n| format!(r#","k{n}":0"#)).collect();
        format!(r#"{{"method":"M"{}}}"#, keys.concat())
    };
    assert!(Call::read(deep(126).as_bytes()).is_ok());
    assert!(Call::read(deep(127).as_bytes()).is_err());
    assert!(Call::read(wide(32).as_bytes()).is_ok());
    assert!(Call::read(wide(33).as_bytes()).is_err());
}

#[test]
fn a_denial_has_the_engine_s_shape_and_the_call_s_id() {
    let table = [
        (r#"{"id":7,"method":"DoReload"}"#, json!(7), "DoReload"),
        (r#"{"id":"a\"<b","method":"M"}"#, json!("a\"<b"), "M"),
        (
            r#"{"id":18446744073709551615,"method":"M"}"#,
            json!(u64::MAX),
            "M",
        ),
        (r#"{"method":"M"}"#, Value::Null, "M"),
        (r#"{"id":7,"method":"M\u0000"}"#, json!(7), ""),
        (r#"{"method":1,"method":2,"id":7}"#, json!(7), ""),
        (r#"{"id":7,"method":"M"}}"#, json!(7), ""),
        (r#"{"id":7,"id":8,"method":"M"}"#, Value::Null, ""),
        (r#"{"id":7,"id":8,"id":9,"method":"M"}"#, Value::Null, ""),
        (r#"[{"id":7,"method":"M"}]"#, Value::Null, ""),
    ];
    for (message, id, method) in table {
        let expected = json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": {"code": 5, "parameter": method, "message": "Access denied"},
        });
        assert_eq!(denial(message.as_bytes()), expected, "{message}");
    }
}

#[test]
fn little_of_what_a_client_wrote_is_said_back() {
    let long = "M".repeat(1000);
    let cut = denial(format!(r#"{{"id":1,"method":"{long}"}}"#).as_bytes());
    assert_eq!(cut["error"]["parameter"], json!("M".repeat(64)));
    let no_id = denial(format!(r#"{{"id":"{long}","method":"M"}}"#).as_bytes());
    assert_eq!(no_id["id"], Value::Null);
}

/// What the client libraries send, and what is nearly that.
#[rustfmt::skip] // a row a message
const PLAIN: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":6,"handle":-1,"method":"OpenDoc","params":["app","","","",false],"delta":true,"outKey":-1}"#,
    r#"{"handle":2,"method":"SelectListObjectValues","params":["/qListObjectDef",[1,2,30],true,false],"id":7}"#,
    r#" { "method" : "M" , "params" : { "qDocName" : "ä€😀" , "q" : [ { } , [ ] , null ] } } "#,
    r#"{"method":"M","id":"a","params":[{"a":{"b":[0,-7,{"c":[true]}]}},-5,{"x":1,"x":2}]}"#,
];

#[test]
fn what_the_libraries_send_goes_the_short_way() {
    for message in PLAIN {
        let long = reader::go_through(message).ok();
        assert!(long.is_some(), "{message}");
        assert_eq!(plain::read(message), long, "{message}");
    }
}

#[test]
fn every_known_key_has_its_place() {
    for (at, (key, _)) in reader::KNOWN.iter().enumerate() {
        assert_eq!(reader::place(key), Some(at), "{key}");
    }
}

#[test]
fn what_is_wrong_never_goes_the_short_way_alone() {
    for message in UNREADABLE {
        is_no_other(message);
    }
}

/// The short way finds what the long way finds, or nothing.
fn is_no_other(message: &str) {
    if let Some(found) = plain::read(message) {
        assert_eq!(Some(found), reader::go_through(message).ok(), "{message}");
    }
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "-?[0-9]{1,20}",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][-+]?[0-9]{1,3})?",
        Just("true".to_owned()),
        Just("null".to_owned()),
        "\"[a-zA-Z_ \\\\u0d8é😀\n]{0,8}\"",
    ];
    scalar.prop_recursive(30, 60, 3, |inner| {
        let member =
            ("[a-cA-C]{1,2}", inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..3).prop_map(|all| format!("{{{}}}", all.join(" , "))),
        ]
    })
}

fn message() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("id"),
        Just("handle"),
        Just("method"),
        Just("params"),
        Just("delta"),
        Just("Method"),
        Just("x")
    ];
    let member = (key, value()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
    prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_ways_find_the_same(message in message()) {
        is_no_other(&message);
    }

    #[test]
    fn and_where_a_byte_is_another(message in message(), at in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let mut bytes = message.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = String::from_utf8(bytes) {
            is_no_other(&message);
        }
    }

    #[test]
    fn and_of_plain_ones_cut_or_changed(
        plain in prop::sample::select(PLAIN),
        at in any::<prop::sample::Index>(),
        byte in 0_u8..128,
        cut in any::<bool>(),
    ) {
        let mut bytes = plain.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        if let Ok(message) = String::from_utf8(bytes) {
            is_no_other(&message);
        }
    }
}
