//! `qHyperCubeDef`, read once into what a calculation needs.

use serde_json::{Map, Value};

use crate::engine::{
    data::{FieldId, Table},
    expression::Expression,
};

use super::sort::{Criteria, Direction};

/// Where master items are looked up.
pub(in crate::engine) trait Library {
    /// `qDim` of a master dimension.
    fn dimension(&self, id: &str) -> Option<&Value>;
    /// `qMeasure` of a master measure.
    fn measure(&self, id: &str) -> Option<&Value>;
}

/// A hypercube's definition over one table.
#[derive(Debug)]
pub(in crate::engine) struct CubeDefinition {
    pub(in crate::engine) dimensions: Vec<Dimension>,
    pub(in crate::engine) measures: Vec<Measure>,
    /// Every column, in the order they sort by.
    pub(super) sort_order: Vec<usize>,
    /// Every column, in the order cells are given.
    pub(super) columns: Vec<usize>,
    pub(super) suppress_zero: bool,
    pub(super) mode: String,
    pub(super) initial: Vec<Rect>,
    pub(super) title: String,
    pub(super) column_order: Value,
}

/// A dimension; one without a field cannot be calculated.
#[derive(Debug)]
pub(in crate::engine) struct Dimension {
    pub(in crate::engine) field: Option<FieldId>,
    pub(in crate::engine) criteria: Criteria,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) attributes: Vec<Measure>,
    pub(super) library: Option<String>,
    /// What a client wrote into `qDef` for itself, which a layout gives back.
    pub(super) extras: Map<String, Value>,
}

/// A measure; one without an expression gives nulls.
#[derive(Debug)]
pub(in crate::engine) struct Measure {
    pub(super) expression: Option<Expression>,
    pub(super) definition: String,
    pub(super) title: String,
    pub(super) format: Value,
    pub(super) direction: Direction,
    pub(super) reversed: bool,
    pub(super) attributes: Vec<Self>,
    pub(super) library: Option<String>,
    pub(super) extras: Map<String, Value>,
}

impl CubeDefinition {
    /// Reads `qHyperCubeDef`.
    pub(in crate::engine) fn parse(def: &Value, table: &Table, library: &dyn Library) -> Self {
        let dimensions: Vec<_> = list(&def["qDimensions"])
            .map(|d| Dimension::parse(d, table, library))
            .collect();
        let measures: Vec<_> = list(&def["qMeasures"])
            .map(|m| Measure::parse(m, table, library))
            .collect();
        let width = dimensions.len() + measures.len();
        Self {
            sort_order: completed(&def["qInterColumnSortOrder"], width),
            columns: completed(&def["qColumnOrder"], width),
            suppress_zero: def["qSuppressZero"] == Value::Bool(true),
            mode: short_mode(text(&def["qMode"]).unwrap_or("S")).to_owned(),
            initial: list(&def["qInitialDataFetch"]).map(Rect::parse).collect(),
            title: text(&def["qTitle"]).unwrap_or_default().to_owned(),
            column_order: def["qColumnOrder"].clone(),
            dimensions,
            measures,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.dimensions.len() + self.measures.len()
    }
}

/// A mode's long name, which older libraries send, means what its letter does.
fn short_mode(name: &str) -> &str {
    match name {
        "DATA_MODE_STRAIGHT" => "S",
        "DATA_MODE_PIVOT" => "P",
        "DATA_MODE_PIVOT_STACK" => "K",
        "DATA_MODE_TREE" => "T",
        other => other,
    }
}

impl Dimension {
    /// Reads an entry of `qDimensions`, or a whole `qListObjectDef`, which has the same form.
    pub(in crate::engine) fn parse(entry: &Value, table: &Table, library: &dyn Library) -> Self {
        let own = &entry["qDef"];
        let id = text(&entry["qLibraryId"]).filter(|id| !id.is_empty());
        let def = id.and_then(|id| library.dimension(id)).unwrap_or(own);
        let active = own["qActiveField"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok());
        let at = |list: &Value| {
            list.get(active.unwrap_or(0))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let written = at(&def["qFieldDefs"]).unwrap_or_default();
        let name = field_name(&written).to_owned();
        let label = at(&def["qFieldLabels"]).filter(|label| !label.is_empty());
        let attributes = list(&entry["qAttributeExpressions"]);
        Self {
            field: table.find(&name),
            criteria: Criteria::parse(
                &own["qSortCriterias"][active.unwrap_or(0)],
                own["qReverseSort"] == Value::Bool(true),
            ),
            title: label
                .or_else(|| master_title(id, def))
                .unwrap_or_else(|| name.clone()),
            attributes: attributes.map(|a| Measure::attribute(a, table)).collect(),
            library: id.map(str::to_owned),
            extras: extras(own),
            name: written,
        }
    }
}

impl Measure {
    fn parse(entry: &Value, table: &Table, library: &dyn Library) -> Self {
        let own = &entry["qDef"];
        let id = text(&entry["qLibraryId"]).filter(|id| !id.is_empty());
        let def = id.and_then(|id| library.measure(id)).unwrap_or(own);
        let definition = text(&def["qDef"]).unwrap_or_default().to_owned();
        let label = text(&def["qLabel"]).or_else(|| text(&own["qLabel"]));
        let title = label
            .filter(|label| !label.is_empty())
            .unwrap_or(&definition)
            .to_owned();
        let format = [own, def]
            .into_iter()
            .map(|def| &def["qNumFormat"])
            .find(|f| f.is_object());
        let attributes = list(&entry["qAttributeExpressions"]);
        Self {
            expression: Expression::parse(&definition, table).ok(),
            title,
            format: format
                .cloned()
                .unwrap_or_else(|| serde_json::json!({ "qType": "U" })),
            direction: Direction::parse(&entry["qSortBy"]["qSortByNumeric"]),
            reversed: own["qReverseSort"] == Value::Bool(true),
            attributes: attributes.map(|a| Self::attribute(a, table)).collect(),
            library: id.map(str::to_owned),
            extras: extras(own),
            definition,
        }
    }

    fn attribute(entry: &Value, table: &Table) -> Self {
        let definition = text(&entry["qExpression"]).unwrap_or_default().to_owned();
        Self {
            expression: Expression::parse(&definition, table).ok(),
            title: text(&entry["qLabel"]).unwrap_or(&definition).to_owned(),
            format: serde_json::json!({ "qType": "U" }),
            direction: Direction::None,
            reversed: false,
            attributes: Vec::new(),
            library: None,
            extras: extras(entry),
            definition,
        }
    }
}

/// A page's place in a cube or list (`NxPage`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::engine) struct Rect {
    pub(in crate::engine) left: usize,
    pub(in crate::engine) top: usize,
    pub(in crate::engine) width: usize,
    pub(in crate::engine) height: usize,
}

impl Rect {
    pub(in crate::engine) fn parse(page: &Value) -> Self {
        let side = |name: &str| {
            page[name]
                .as_u64()
                .and_then(|side| usize::try_from(side).ok())
                .unwrap_or(0)
        };
        Self {
            left: side("qLeft"),
            top: side("qTop"),
            width: side("qWidth"),
            height: side("qHeight"),
        }
    }

    /// The part of it that exists in a thing of this size.
    pub(in crate::engine) fn within(self, width: usize, height: usize) -> Self {
        let (left, top) = (self.left.min(width), self.top.min(height));
        Self {
            left,
            top,
            width: self.width.min(width - left),
            height: self.height.min(height - top),
        }
    }

    pub(in crate::engine) fn to_json(self) -> Value {
        serde_json::json!({
            "qLeft": self.left, "qTop": self.top, "qWidth": self.width, "qHeight": self.height
        })
    }
}

/// `[Net Sales]`, `=[Net Sales]` and `Net Sales` are the same field.
pub(in crate::engine) fn field_name(written: &str) -> &str {
    let name = written.trim();
    let name = name.strip_prefix('=').unwrap_or(name).trim();
    name.strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name)
}

fn master_title(id: Option<&str>, def: &Value) -> Option<String> {
    id.and(text(&def["title"])).map(str::to_owned)
}

/// The column numbers a client asked for, followed by those it left out.
fn completed(asked: &Value, width: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let asked = list(asked)
        .filter_map(Value::as_u64)
        .filter_map(|at| usize::try_from(at).ok());
    for column in asked.chain(0..width) {
        if column < width && !order.contains(&column) {
            order.push(column);
        }
    }
    order
}

fn extras(def: &Value) -> Map<String, Value> {
    let own = def
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !is_engine_key(key));
    own.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The engine's own properties begin with `q` and a capital.
fn is_engine_key(key: &str) -> bool {
    let mut letters = key.chars();
    letters.next() == Some('q')
        && letters
            .next()
            .is_some_and(|second| second.is_ascii_uppercase())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["qExpr"].as_str())
}
