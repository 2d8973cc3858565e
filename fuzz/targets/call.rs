//! A call that is understood is one JSON object, and says to `serde_json` what it says to us.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qix_proxy_fuzz::qix::Call;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(call) = Call::read(bytes) else {
        return;
    };
    let whole: Value = serde_json::from_slice(bytes).unwrap();
    let object = whole.as_object().unwrap();
    assert_eq!(object["method"], call.method());
    let id = call.id().map(|id| serde_json::to_value(id).unwrap());
    assert_eq!(object.get("id"), id.as_ref());
    let handle = object.get("handle").map(|handle| handle.as_i64().unwrap());
    assert_eq!(call.is_global(), handle.is_none_or(|handle| handle <= 0));
});
