//! What a request is and how one fails.
//!
//! Enters: one JSON value a client sent. Leaves: a `Request` whose parameters can be read by
//! place or by name, or a `Fault` in the engine's own words. Never decides what a method does.

use serde_json::{Map, Value, json};

/// One parsed JSON-RPC request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Value,
    pub(super) handle: i64,
    pub(super) method: String,
    pub(super) delta: bool,
    params: Value,
}

impl Request {
    /// Reads a request; what is not one is answered under the id it carries, if any.
    pub(super) fn parse(message: &Value) -> Result<Self, (Value, Fault)> {
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        let Some(method) = message.get("method").and_then(Value::as_str) else {
            return Err((id, Fault::invalid_request()));
        };
        let handle = match message.get("handle") {
            None => -1,
            Some(handle) => match handle.as_i64() {
                Some(handle) => handle,
                None => return Err((id, Fault::invalid_request())),
            },
        };
        Ok(Self {
            id,
            handle,
            method: method.to_owned(),
            delta: message.get("delta") == Some(&Value::Bool(true)),
            params: message.get("params").cloned().unwrap_or(Value::Null),
        })
    }

    /// The parameter at `place`, or the one called `name` when they were given by name.
    pub(super) fn param(&self, place: usize, name: &str) -> &Value {
        let found = match &self.params {
            Value::Array(list) => list.get(place),
            Value::Object(named) => named.get(name),
            _ => None,
        };
        found.unwrap_or(&Value::Null)
    }

    pub(super) fn text(&self, place: usize, name: &str) -> Result<&str, Fault> {
        self.param(place, name)
            .as_str()
            .ok_or_else(|| Fault::invalid_params(name))
    }

    pub(super) fn flag(&self, place: usize, name: &str) -> bool {
        self.param(place, name).as_bool().unwrap_or(false)
    }

    pub(super) fn list(&self, place: usize, name: &str) -> &[Value] {
        self.param(place, name)
            .as_array()
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn index(&self, place: usize, name: &str) -> Result<usize, Fault> {
        self.param(place, name)
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .ok_or_else(|| Fault::invalid_params(name))
    }

    /// Element numbers; those no field can have are left out.
    pub(super) fn elements(&self, place: usize, name: &str) -> Vec<u32> {
        elements(self.param(place, name))
    }
}

pub(super) fn elements(list: &Value) -> Vec<u32> {
    let numbers = list.as_array().into_iter().flatten();
    numbers
        .filter_map(Value::as_u64)
        .filter_map(|number| u32::try_from(number).ok())
        .collect()
}

/// The out-parameters of an answer, by name.
pub(super) type Answer = Map<String, Value>;

/// An answer without out-parameters.
pub(super) fn nothing() -> Answer {
    Map::new()
}

/// An answer of one out-parameter.
pub(super) fn out(name: &str, value: Value) -> Answer {
    Map::from_iter([(name.to_owned(), value)])
}

const METHOD_NOT_FOUND: i64 = -32601;

/// An engine error, as `error` of an answer carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    pub(super) code: i64,
    parameter: String,
    message: &'static str,
}

impl Fault {
    pub(super) fn new(code: i64, parameter: &str, message: &'static str) -> Self {
        Self {
            code,
            parameter: parameter.to_owned(),
            message,
        }
    }

    pub(super) fn invalid_request() -> Self {
        Self::new(-32600, "", "Invalid Request")
    }

    pub(super) fn method_not_found(method: &str) -> Self {
        Self::new(METHOD_NOT_FOUND, method, "Method not found")
    }

    /// The method that the engine does not have, when that is what is wrong.
    pub(super) fn unknown_method(&self) -> Option<&str> {
        (self.code == METHOD_NOT_FOUND).then_some(self.parameter.as_str())
    }

    pub(super) fn invalid_params(parameter: &str) -> Self {
        Self::new(-32602, parameter, "Invalid method parameter(s)")
    }

    pub(super) fn invalid_handle() -> Self {
        Self::new(-32602, "Invalid handle", "Invalid method parameter(s)")
    }

    pub(super) fn not_found(parameter: &str) -> Self {
        Self::new(2, parameter, "Not found")
    }

    pub(super) fn already_exists(parameter: &str) -> Self {
        Self::new(3, parameter, "Already exists")
    }

    pub(super) fn app_already_open(app: &str) -> Self {
        Self::new(1002, app, "App already open")
    }

    pub(super) fn app_not_found(app: &str) -> Self {
        Self::new(1003, app, "App not found")
    }

    pub(super) fn app_not_open() -> Self {
        Self::new(1017, "", "App not open")
    }

    pub(super) fn invalid_object(parameter: &str) -> Self {
        Self::new(6000, parameter, "Invalid object")
    }

    pub(super) fn modal(object: &str) -> Self {
        Self::new(6003, object, "Modal object error")
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "code": self.code, "parameter": self.parameter, "message": self.message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_by_place_and_by_name() {
        let by_place = json!({"id": 1, "method": "OpenDoc", "params": ["x", "", 3]});
        let by_name = json!({"id": 1, "method": "OpenDoc", "params": {"qDocName": "x", "n": 3}});
        let by_place = Request::parse(&by_place).unwrap();
        let by_name = Request::parse(&by_name).unwrap();
        assert_eq!(by_place.text(0, "qDocName"), Ok("x"));
        assert_eq!(by_name.text(0, "qDocName"), Ok("x"));
        assert_eq!(
            (by_place.index(2, "n"), by_name.index(2, "n")),
            (Ok(3), Ok(3))
        );
        assert_eq!(by_name.text(1, "qUserName").unwrap_err().code, -32602);
    }

    #[test]
    fn what_is_no_request_keeps_its_id() {
        let (id, fault) = Request::parse(&json!({"id": 7})).unwrap_err();
        assert_eq!((id, fault.code), (json!(7), -32600));
        let (_, fault) = Request::parse(&json!([{"id": 7, "method": "OpenDoc"}])).unwrap_err();
        assert_eq!(fault.code, -32600);
    }
}
