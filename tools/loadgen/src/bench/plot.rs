//! The ratios as a picture: a line a row, a dot for everybody, on a scale of powers.

use std::fmt::Write as _;

use super::report::{Line, Report};

const LEFT: f64 = 250.0;
const WIDTH: f64 = 560.0;
const STEP: f64 = 22.0;
const TOP: f64 = 56.0;
/// The ends of the scale: cost, as a multiple of the best peer's.
const LEAST: f64 = 0.1;
const MOST: f64 = 20.0;
const COLOURS: [(&str, &str); 4] = [
    ("qix-proxy", "#d6336c"),
    ("nginx", "#2f9e44"),
    ("haproxy", "#1971c2"),
    ("envoy", "#7048e8"),
];

/// Draws a report as SVG.
pub(super) fn draw(report: &Report) -> String {
    let height = TOP + STEP * (report.rows.len() as f64 + 1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 30.0
    );
    legend(&mut svg);
    for tick in [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0] {
        let (x, colour) = (
            place(tick),
            if (tick - 1.0_f64).abs() < 0.01 {
                "#495057"
            } else {
                "#dee2e6"
            },
        );
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"{colour}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#495057\">{tick}</text>",
            height - STEP / 2.0,
            TOP - 6.0
        );
    }
    for (number, line) in report.rows.iter().enumerate() {
        row(&mut svg, line, TOP + STEP * (number as f64 + 0.75));
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"20\">Cost beside the best peer of each row (= 1); left is better</text>"
    );
    for (number, (name, colour)) in COLOURS.iter().enumerate() {
        let x = LEFT + 130.0 + 100.0 * number as f64;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"16\" r=\"5\" fill=\"{colour}\"/><text x=\"{}\" y=\"20\">{name}</text>",
            x + 10.0
        );
    }
}

fn row(svg: &mut String, line: &Line, y: f64) {
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"{:.1}\">{}</text>",
        y + 4.0,
        line.row
    );
    let best = line.peers[line.best_peer];
    for (name, colour) in COLOURS.iter().rev() {
        let ratio = match line.peers.get(name) {
            Some(value) => value / best,
            None => line.ratio,
        };
        let radius = if *name == "qix-proxy" { 6 } else { 4 };
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>",
            place(ratio)
        );
    }
}

fn place(ratio: f64) -> f64 {
    let part = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + WIDTH * part
}
