//! The stacked form (`qMode` `K`): a tree of dimension values with the measures as its leaves.

use serde_json::{Value, json};

use crate::engine::number::json_number;

use super::{
    definition::Rect,
    pages::{dimension_cell, measure_text},
    rows::{Cube, Group},
};

impl Cube<'_> {
    /// A page of the tree: `rect` counts values of the first dimension downward.
    pub(in crate::engine) fn stack(&self, rect: Rect) -> Value {
        let all: Vec<_> = self.rows.iter().collect();
        let branches = branches(&all, 0);
        let area = Rect {
            width: rect.width,
            ..rect.within(rect.width, branches.len())
        };
        let shown = branches.iter().enumerate().skip(area.top).take(area.height);
        let nodes: Vec<_> = shown
            .map(|(row, branch)| self.node(branch, 0, row))
            .collect();
        json!({
            "qData": [{
                "qElemNo": 0, "qNodeNr": 0, "qParentNode": -1, "qRow": 0, "qType": "R",
                "qUp": 0, "qDown": 0,
                "qSubNodes": nodes,
            }],
            "qArea": area.to_json(),
        })
    }

    /// The tree as a bar chart's small overview reads it: a row for each value of the first
    /// dimension, with the sums of what is above zero and of what is below.
    fn reduced_stack(&self, rect: Rect) -> Value {
        let all: Vec<_> = self.rows.iter().collect();
        let branches = branches(&all, 0);
        let area = rect.within(rect.left + rect.width, branches.len());
        let shown = branches.iter().skip(area.top).take(area.height);
        let row = |branch: &Vec<&Group>| {
            let node = self.node(branch, 0, 0);
            let sum = |name: &str| json!({ "qNum": node[name], "qText": "", "qState": "L" });
            json!([
                {
                    "qText": node["qText"], "qNum": node["qValue"],
                    "qElemNumber": node["qElemNo"], "qState": node["qState"],
                },
                { "qText": "", "qNum": "NaN", "qElemNumber": -1, "qState": "L" },
                sum("qMaxPos"),
                sum("qMinNeg"),
            ])
        };
        json!({
            "qMatrix": shown.map(row).collect::<Value>(),
            "qTails": [],
            "qArea": area.to_json(),
            "qIsReduced": true,
        })
    }

    /// A page for an overview. A straight table is small enough here to be given whole.
    pub(in crate::engine) fn reduced(&self, rect: Rect) -> Value {
        if self.is_stacked() {
            self.reduced_stack(rect)
        } else {
            self.page(rect)
        }
    }

    pub(super) fn is_stacked(&self) -> bool {
        self.definition.mode == "K" && !self.definition.dimensions.is_empty()
    }

    /// The pages a definition wants with its layout; only a stacked cube has them.
    pub(super) fn initial_stacks(&self) -> Value {
        if !self.is_stacked() {
            return json!([]);
        }
        self.definition
            .initial
            .iter()
            .map(|page| self.stack(*page))
            .collect()
    }

    /// How many values of the first dimension there are.
    pub(super) fn stack_height(&self) -> usize {
        branches(&self.rows.iter().collect::<Vec<_>>(), 0).len()
    }

    fn node(&self, groups: &[&Group], depth: usize, row: usize) -> Value {
        let dimension = &self.definition.dimensions[depth];
        let element = groups[0].elements[depth];
        let cell = dimension.field.map_or(Value::Null, |field| {
            dimension_cell(self.view.table, self.view.states, field, element)
        });
        let children = self.children(groups, depth + 1);
        let sum = |wanted: fn(f64) -> bool| -> f64 {
            let numbers = groups
                .iter()
                .filter_map(|group| group.numbers.first().copied()?);
            numbers.filter(|number| wanted(*number)).sum()
        };
        json!({
            "qText": cell["qText"],
            "qElemNo": element,
            "qRow": row,
            "qType": "N",
            "qState": cell["qState"],
            "qValue": cell["qNum"],
            "qCanExpand": false,
            "qCanCollapse": false,
            "qMaxPos": sum(|number| number > 0.0),
            "qMinNeg": sum(|number| number < 0.0),
            "qUp": 0,
            "qDown": 0,
            "qSubNodes": children,
        })
    }

    fn children(&self, groups: &[&Group], depth: usize) -> Vec<Value> {
        if depth < self.definition.dimensions.len() {
            let branches = branches(groups, depth).into_iter().enumerate();
            return branches
                .map(|(row, branch)| self.node(&branch, depth, row))
                .collect();
        }
        let leaf = |(at, number): (usize, &Option<f64>)| {
            json!({
                "qText": measure_text(&self.definition.measures[at], *number),
                "qElemNo": -1,
                "qRow": at,
                "qType": "V",
                "qValue": json_number(*number),
                "qMaxPos": number.unwrap_or(0.0).max(0.0),
                "qMinNeg": number.unwrap_or(0.0).min(0.0),
                "qSubNodes": [],
            })
        };
        groups[0].numbers.iter().enumerate().map(leaf).collect()
    }
}

/// The groups by their value at `depth`, in the order they first come.
fn branches<'a>(groups: &[&'a Group], depth: usize) -> Vec<Vec<&'a Group>> {
    let mut branches: Vec<Vec<&Group>> = Vec::new();
    for group in groups {
        let element = group.elements[depth];
        match branches
            .iter_mut()
            .find(|branch| branch[0].elements[depth] == element)
        {
            Some(branch) => branch.push(group),
            None => branches.push(vec![group]),
        }
    }
    branches
}
