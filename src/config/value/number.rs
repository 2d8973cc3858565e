//! Durations, sizes, counts and switches.

use std::time::Duration;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::node::{Node, Value, Written};
use crate::config::notes::Noted;

/// A number of things, one or more.
pub(in crate::config) struct Count(pub(in crate::config) usize);

/// A duration that may be `"never"`.
pub(in crate::config) struct OrNever(pub(in crate::config) Option<Duration>);

/// A duration that is not nothing.
pub(in crate::config) struct Positive(pub(in crate::config) Duration);

/// A number of bytes, one or more.
pub(in crate::config) struct Size(pub(in crate::config) usize);

const NEVER: &str = "never";
/// Longer than anything meant here, and far from where clocks overflow.
const LONGEST: Duration = Duration::from_hours(24 * 365);
const DURATION: &str = "^[0-9]+ ?(ms|s|m|min|h|d)$";
const POSITIVE: &str = "^0*[1-9][0-9]* ?(ms|s|m|min|h|d)$";
/// The units of a size, the largest first.
const UNITS: [(&str, usize); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl Value for Duration {
    const WANTED: &'static str =
        "a duration in quotes, such as \"500ms\", \"20s\", \"10min\" or \"2h\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        if let DeValue::Integer(number) = node.value {
            return Err(node.refuse(
                format!("`{}` has no unit", node.key),
                format!("write \"{}s\" if seconds are meant", number.as_str()),
            ));
        }
        let text = node.text::<Self>()?;
        let duration = duration(text).ok_or_else(|| {
            node.refuse(
                format!("{text:?} is no duration"),
                format!("write {}", Self::WANTED),
            )
        })?;
        if duration > LONGEST {
            return Err(node.refuse("this is longer than a year", "write \"365d\" or less"));
        }
        Ok(duration)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": DURATION})
    }
}

impl Written for Duration {
    fn written(&self) -> Json {
        let (seconds, millis) = (self.as_secs(), self.subsec_millis());
        json!(match (seconds, millis) {
            (_, 1..) => format!("{}ms", self.as_millis()),
            (1.., _) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            (1.., _) if seconds.is_multiple_of(60) => format!("{}min", seconds / 60),
            _ => format!("{seconds}s"),
        })
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let number = u64::try_from(number).ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" | "min" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(24 * 3600),
        _ => None,
    }
}

fn number_and_unit(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    Some((number.parse().ok()?, unit))
}

impl Value for Positive {
    const WANTED: &'static str = Duration::WANTED;

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        match Duration::read(node)? {
            Duration::ZERO => {
                let what = format!("`{}` cannot be nothing", node.key);
                Err(node.refuse(what, format!("write {}", Self::WANTED)))
            }
            duration => Ok(Self(duration)),
        }
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": POSITIVE})
    }
}

impl Written for Positive {
    fn written(&self) -> Json {
        self.0.written()
    }
}

impl Value for OrNever {
    const WANTED: &'static str = "a duration in quotes, such as \"20s\", or \"never\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        match node.value.as_str() {
            Some(NEVER) => Ok(Self(None)),
            Some("0" | "0s" | "off" | "none") => {
                let what = format!("`{}` cannot be nothing", node.key);
                Err(node.refuse(what, format!("write \"{NEVER}\"")))
            }
            _ => Positive::read(node).map(|Positive(duration)| Self(Some(duration))),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [{"const": NEVER}, Positive::schema()]})
    }
}

impl Written for OrNever {
    fn written(&self) -> Json {
        self.0.map_or(json!(NEVER), |duration| duration.written())
    }
}

impl Value for Size {
    const WANTED: &'static str = "a number of bytes, or a size in quotes, such as \"1 MiB\"";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        let size = match node.value {
            DeValue::Integer(_) => integer(node),
            _ => bytes(node.text::<Self>()?),
        };
        match size {
            Some(bytes @ 1..) => Ok(Self(bytes)),
            Some(0) => {
                let what = format!("`{}` cannot be nothing", node.key);
                Err(node.refuse(what, format!("write {}", Self::WANTED)))
            }
            None => Err(node.refuse("this is no size", format!("write {}", Self::WANTED))),
        }
    }

    fn schema() -> Json {
        let text = json!({"type": "string", "pattern": "^0*[1-9][0-9]* ?(B|KiB|MiB|GiB)$"});
        json!({"anyOf": [{"type": "integer", "minimum": 1}, text]})
    }
}

impl Written for Size {
    fn written(&self) -> Json {
        let unit = UNITS.iter().find(|(_, unit)| self.0.is_multiple_of(*unit));
        unit.map_or(json!(self.0), |(name, unit)| {
            json!(format!("{} {name}", self.0 / unit))
        })
    }
}

fn bytes(text: &str) -> Option<usize> {
    let (number, unit) = number_and_unit(text)?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*unit)
}

fn integer(node: &Node<'_>) -> Option<usize> {
    let number = node.value.as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok()
}

impl Value for Count {
    const WANTED: &'static str = "a whole number, 1 or more";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        if !node.value.is_integer() {
            return Err(node.mismatch::<Self>());
        }
        match integer(node) {
            Some(count @ 1..) => Ok(Self(count)),
            _ => Err(node.refuse(
                format!("`{}` cannot be this number", node.key),
                format!("write {}", Self::WANTED),
            )),
        }
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 1})
    }
}

impl Written for Count {
    fn written(&self) -> Json {
        json!(self.0)
    }
}

impl Value for bool {
    const WANTED: &'static str = "`true` or `false`, without quotes";

    fn read(node: &Node<'_>) -> Result<Self, Noted> {
        node.value.as_bool().ok_or_else(|| node.mismatch::<Self>())
    }

    fn schema() -> Json {
        json!({"type": "boolean"})
    }
}

impl Written for bool {
    fn written(&self) -> Json {
        json!(self)
    }
}
