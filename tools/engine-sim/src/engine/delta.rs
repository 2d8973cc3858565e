//! Answers as differences: what enigma.js asks for with `"delta": true`.
//!
//! Enters: an answer and whom it is for. Leaves: JSON-patch lists relative to the last answer of
//! the same handle, method and out-parameter on the same socket. Never reads what an answer means.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::rpc::Answer;

/// Beyond this many changes a whole new value is shorter.
const MOST_PATCHES: usize = 400;

/// The answers a socket was given, which its client keeps as well.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    known: HashMap<(i64, String), Value>,
}

impl Deltas {
    /// Turns each out-parameter into the patches that make it of the one sent before.
    pub(super) fn reduce(&mut self, handle: i64, method: &str, answer: Answer) -> Answer {
        let reduced = answer.into_iter().map(|(name, value)| {
            let key = (handle, format!("{method}-{name}"));
            let patches = match self.known.get(&key) {
                Some(before) => patch(before, &value),
                None => vec![operation("add", "/", Some(&value))],
            };
            self.known.insert(key, value);
            (name, Value::Array(patches))
        });
        reduced.collect()
    }

    /// Forgets a handle that was closed.
    pub(super) fn forget(&mut self, handle: i64) {
        self.known.retain(|(of, _), _| *of != handle);
    }
}

fn patch(before: &Value, after: &Value) -> Vec<Value> {
    let mut patches = Vec::new();
    let whole = if let (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_)) =
        (before, after)
    {
        compare(before, after, "", &mut patches).is_err() || patches.len() > MOST_PATCHES
    } else {
        before != after
    };
    if whole {
        return vec![operation("replace", "/", Some(after))];
    }
    patches
}

/// The value cannot be reached by a path that clients understand; its parent has to be replaced.
struct Unreachable;

fn compare(
    before: &Value,
    after: &Value,
    path: &str,
    patches: &mut Vec<Value>,
) -> Result<(), Unreachable> {
    match (before, after) {
        (before, after) if before == after => Ok(()),
        (Value::Object(_), Value::Object(_)) => compare_objects(before, after, path, patches),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare_or_replace(old, new, &format!("{path}/{at}"), patches);
            }
            Ok(())
        }
        _ if path.is_empty() => Err(Unreachable),
        _ => {
            patches.push(operation("replace", path, Some(after)));
            Ok(())
        }
    }
}

fn compare_or_replace(before: &Value, after: &Value, path: &str, patches: &mut Vec<Value>) {
    let held = patches.len();
    if compare(before, after, path, patches).is_err() {
        patches.truncate(held);
        patches.push(operation("replace", path, Some(after)));
    }
}

fn compare_objects(
    before: &Value,
    after: &Value,
    path: &str,
    patches: &mut Vec<Value>,
) -> Result<(), Unreachable> {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return Err(Unreachable);
    };
    if old.keys().chain(new.keys()).any(|key| !is_reachable(key)) {
        return Err(Unreachable);
    }
    for (key, value) in new {
        let path = format!("{path}/{key}");
        match old.get(key) {
            Some(was) => compare_or_replace(was, value, &path, patches),
            None => patches.push(operation("add", &path, Some(value))),
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patches.push(operation("remove", &format!("{path}/{key}"), None));
    }
    Ok(())
}

/// enigma.js neither unescapes `~1` nor tells a numeric key from an index, and it keeps keys that
/// begin with `_` or `$$` when it empties an object.
fn is_reachable(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && !key.contains(['/', '~'])
        && !["constructor", "prototype"].contains(&key)
}

fn operation(op: &str, path: &str, value: Option<&Value>) -> Value {
    match value {
        Some(value) => json!({ "op": op, "path": path, "value": value }),
        None => json!({ "op": op, "path": path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rpc::out;

    /// What a client does with patches, in the fewest words.
    fn apply(mut held: Value, patches: &[Value]) -> Value {
        for patch in patches {
            let path = patch["path"].as_str().unwrap();
            if path == "/" {
                held = patch["value"].clone();
                continue;
            }
            let (parent, key) = path.rsplit_once('/').unwrap();
            match (
                held.pointer_mut(parent).unwrap(),
                patch["op"].as_str().unwrap(),
            ) {
                (Value::Object(map), "remove") => drop(map.remove(key)),
                (Value::Object(map), _) => drop(map.insert(key.into(), patch["value"].clone())),
                (Value::Array(list), "replace") => {
                    list[key.parse::<usize>().unwrap()] = patch["value"].clone();
                }
                (parent, op) => panic!("{op} in {parent}"),
            }
        }
        held
    }

    #[test]
    fn the_first_answer_is_whole_and_the_second_is_what_changed() {
        let mut deltas = Deltas::default();
        let first = deltas.reduce(1, "GetLayout", out("qLayout", json!({"a": 1, "b": [1, 2]})));
        assert_eq!(
            first["qLayout"],
            json!([{"op": "add", "path": "/", "value": {"a": 1, "b": [1, 2]}}])
        );
        let second = deltas.reduce(1, "GetLayout", out("qLayout", json!({"a": 1, "b": [1, 3]})));
        assert_eq!(
            second["qLayout"],
            json!([{"op": "replace", "path": "/b/1", "value": 3}])
        );
        let third = deltas.reduce(1, "GetLayout", out("qLayout", json!({"a": 1, "b": [1, 3]})));
        assert_eq!(third["qLayout"], json!([]));
        deltas.forget(1);
        let again = deltas.reduce(1, "GetLayout", out("qLayout", json!({})));
        assert_eq!(again["qLayout"][0]["path"], "/");
    }

    #[test]
    fn patches_rebuild_whatever_came_after() {
        let shapes = [
            json!({"a": {"x": 1}, "b": [[1], [2, 3]], "c": "s"}),
            json!({"a": {"y": 1}, "b": [[1], [2]], "d": {"Net/Gross": 1}}),
            json!({"a": {"x": {"1": 2}}, "b": [], "d": {"Net/Gross": 2}}),
            json!({"a": {"x": {"1": 3}}, "b": [[4]], "_e": 1}),
            json!({"_e": 2}),
            json!([1, {"a": 1}]),
            json!([1, {"a": 2}]),
            json!([]),
            json!(4),
        ];
        for before in &shapes {
            for after in &shapes {
                assert_eq!(&apply(before.clone(), &patch(before, after)), after);
            }
        }
    }
}
