//! A generic object: its properties, and the soft patches over them.

use serde_json::Value;

use super::rpc::Fault;

/// Properties as stored, and as they are with soft patches.
#[derive(Debug)]
pub(super) struct Object {
    properties: Value,
    effective: Value,
    origin: Origin,
    is_patched: bool,
    search: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    App,
    Client,
}

/// Whether a patch lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patching {
    Hard,
    Soft,
}

impl Object {
    /// An object of the app.
    pub(super) fn stored(properties: Value) -> Self {
        Self {
            effective: properties.clone(),
            properties,
            origin: Origin::App,
            is_patched: false,
            search: None,
        }
    }

    /// An object a client made.
    pub(super) fn made(properties: Value) -> Self {
        Self {
            origin: Origin::Client,
            ..Self::stored(properties)
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        self.origin == Origin::App
    }

    pub(super) fn properties(&self) -> &Value {
        &self.properties
    }

    pub(super) fn effective(&self) -> &Value {
        &self.effective
    }

    pub(super) fn has_soft_patches(&self) -> bool {
        self.is_patched
    }

    /// What is being searched for in the object's list.
    pub(super) fn search(&self) -> Option<&str> {
        self.search.as_deref()
    }

    /// Narrows the list to a search, or ends the search.
    pub(super) fn set_search(&mut self, search: Option<String>) {
        self.search = search;
    }

    pub(super) fn info(&self) -> &Value {
        &self.properties["qInfo"]
    }

    pub(super) fn kind(&self) -> &str {
        self.info()["qType"].as_str().unwrap_or_default()
    }

    /// Whether the layout follows the selections.
    pub(super) fn is_dynamic(&self) -> bool {
        is_dynamic(&self.effective)
    }

    /// Replaces the properties; the id and type stay.
    pub(super) fn set_properties(&mut self, mut properties: Value) -> Result<(), Fault> {
        if !properties.is_object() {
            return Err(Fault::invalid_params("qProp"));
        }
        properties["qInfo"] = self.info().clone();
        self.properties = properties;
        self.clear_soft_patches();
        Ok(())
    }

    /// Applies `qPatches`, whose values are JSON in text.
    pub(super) fn patch(&mut self, patches: &[Value], patching: Patching) -> Result<(), Fault> {
        let mut base = match patching {
            Patching::Hard => self.properties.clone(),
            Patching::Soft => self.effective.clone(),
        };
        for patch in patches {
            apply(&mut base, patch).ok_or_else(|| Fault::invalid_params("qPatches"))?;
        }
        if patching == Patching::Hard {
            self.properties = base;
            self.clear_soft_patches();
        } else {
            self.is_patched = true;
            self.effective = base;
        }
        Ok(())
    }

    pub(super) fn clear_soft_patches(&mut self) {
        self.is_patched = false;
        self.effective = self.properties.clone();
    }
}

fn is_dynamic(value: &Value) -> bool {
    const DYNAMIC: [&str; 5] = [
        "qHyperCubeDef",
        "qListObjectDef",
        "qSelectionObjectDef",
        "qStringExpression",
        "qValueExpression",
    ];
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, inner)| DYNAMIC.contains(&key.as_str()) || is_dynamic(inner)),
        Value::Array(list) => list.iter().any(is_dynamic),
        _ => false,
    }
}

fn apply(target: &mut Value, patch: &Value) -> Option<()> {
    let operation = patch["qOp"].as_str()?;
    let (parent, key) = patch["qPath"].as_str()?.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    if operation == "remove" {
        return remove(target.pointer_mut(parent)?, &key);
    }
    let value: Value = serde_json::from_str(patch["qValue"].as_str()?).ok()?;
    match reach(target, parent)? {
        Value::Object(map) => drop(map.insert(key, value)),
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => {
            let at = key.parse::<usize>().ok().filter(|at| *at <= list.len())?;
            if operation == "replace" && at < list.len() {
                list[at] = value;
            } else {
                list.insert(at, value);
            }
        }
        _ => return None,
    }
    Some(())
}

fn remove(parent: &mut Value, key: &str) -> Option<()> {
    match parent {
        Value::Object(map) => drop(map.shift_remove(key)),
        Value::Array(list) => {
            let at = key.parse::<usize>().ok().filter(|at| *at < list.len())?;
            list.remove(at);
        }
        _ => return None,
    }
    Some(())
}

/// The value at `path`; objects on the way that are missing are made.
fn reach<'a>(target: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut place = target;
    for key in path.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        place = match place {
            Value::Object(map) => map
                .entry(key)
                .or_insert_with(|| Value::Object(serde_json::Map::new())),
            Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(op: &str, path: &str, value: &str) -> Value {
        json!({ "qOp": op, "qPath": path, "qValue": value })
    }

    #[test]
    fn soft_patches_cover_the_properties_and_can_be_taken_off() {
        let mut object = Object::made(json!({"qInfo": {"qId": "a"}, "x": {"y": [1]}}));
        let patches = [
            patch("replace", "/x/y/0", "2"),
            patch("add", "/x/z/deep", "{\"a\":1}"),
            patch("add", "/x/y/-", "3"),
        ];
        object.patch(&patches, Patching::Soft).unwrap();
        assert_eq!(
            object.effective()["x"],
            json!({"y": [2, 3], "z": {"deep": {"a": 1}}})
        );
        assert_eq!(object.properties()["x"], json!({"y": [1]}));
        assert!(object.has_soft_patches());
        object.clear_soft_patches();
        assert_eq!(object.effective(), object.properties());
        object
            .patch(&[patch("remove", "/x/y", "")], Patching::Hard)
            .unwrap();
        assert_eq!(object.properties()["x"], json!({}));
        assert!(
            object
                .patch(&[patch("replace", "/x", "{")], Patching::Hard)
                .is_err()
        );
    }

    #[test]
    fn only_objects_that_calculate_follow_selections() {
        assert!(Object::made(json!({"a": [{"qHyperCubeDef": {}}]})).is_dynamic());
        assert!(!Object::made(json!({"qAppObjectListDef": {"qType": "sheet"}})).is_dynamic());
    }
}
