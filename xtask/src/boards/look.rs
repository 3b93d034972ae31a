//! How boards look, and the JSON that Grafana wants for it (version 10 or later; it migrates older schemas by itself).

use serde_json::{Value, json};

use super::description::{Board, Kind, Panel, Query, Variable};
use super::kinds::{columns, drawn, heat, lines, overrides, stat, table};

const SCHEMA: u32 = 39;
const COLUMNS: u32 = 24;
/// The series of the gateways that the reader chose.
const SCOPE: &str = r#"job="portcullis", instance=~"$instance""#;

pub(super) fn board(name: &str, board: &Board) -> Value {
    json!({
        "uid": uid(name),
        "title": format!("Portcullis / {}", board.title),
        "description": board.text,
        "tags": ["portcullis"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "15s",
        "time": { "from": "now-1h", "to": "now" },
        "links": [{
            "title": "Portcullis",
            "type": "dashboards",
            "tags": ["portcullis"],
            "asDropdown": false,
            "icon": "external link",
            "includeVars": true,
            "keepTime": true,
            "targetBlank": false,
            "tooltip": "",
            "url": "",
        }],
        "annotations": { "list": [new_generations()] },
        "templating": { "list": variables(&board.variables) },
        "panels": panels(board),
    })
}

pub(super) fn uid(name: &str) -> String {
    format!("portcullis-{name}")
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn scoped(expr: &str) -> String {
    expr.replace("{scope", &format!("{{{SCOPE}"))
}

/// A line wherever configuration or a plugin changed.
fn new_generations() -> Value {
    json!({
        "name": "New generations",
        "datasource": source(),
        "enable": true,
        "iconColor": "blue",
        "target": {
            "refId": "generations",
            "expr": scoped("changes(portcullis_generation{scope}[1m]) > 0"),
            "legendFormat": "new generation of {{instance}}",
        },
    })
}

// === variables ===

fn variables(narrowed_by: &[Variable]) -> Vec<Value> {
    let datasource = json!({
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
    });
    let instance = variable(
        "instance",
        r#"label_values(portcullis_generation{job="portcullis"}, instance)"#,
    );
    let others = narrowed_by.iter().map(|narrow| {
        let (name, metric) = (narrow.name(), narrow.metric());
        variable(
            name,
            &scoped(&format!("label_values({metric}{{scope}}, {name})")),
        )
    });
    [datasource, instance].into_iter().chain(others).collect()
}

fn variable(name: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": name,
        "type": "query",
        "datasource": source(),
        "query": { "query": query, "refId": name },
        "includeAll": true,
        "multi": true,
        "allValue": ".*",
        "current": { "text": "All", "value": "$__all", "selected": true },
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    })
}

// === panels ===

/// From left to right, then the next line.
#[derive(Debug, Default)]
struct Cursor {
    id: u32,
    x: u32,
    y: u32,
    /// Of the tallest panel of the line.
    line: u32,
}

impl Cursor {
    fn place(&mut self, width: u32, height: u32) -> (u32, Value) {
        if self.x + width > COLUMNS {
            self.line_break();
        }
        let position = json!({ "x": self.x, "y": self.y, "w": width, "h": height });
        self.id += 1;
        self.x += width;
        self.line = self.line.max(height);
        (self.id, position)
    }

    fn line_break(&mut self) {
        self.y += self.line;
        (self.x, self.line) = (0, 0);
    }
}

fn panels(board: &Board) -> Vec<Value> {
    let mut cursor = Cursor::default();
    let mut panels = Vec::new();
    for row in &board.row {
        cursor.line_break();
        let (id, position) = cursor.place(COLUMNS, 1);
        panels.push(json!({
            "id": id,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": position,
            "panels": [],
        }));
        for description in &row.panel {
            let kind = description.kind;
            let (id, position) =
                cursor.place(description.width.unwrap_or(kind.width()), kind.height());
            let mut panel = panel(description);
            panel["id"] = id.into();
            panel["gridPos"] = position;
            panels.push(panel);
        }
    }
    panels
}

fn panel(description: &Panel) -> Value {
    let (kind, options, custom) = match description.kind {
        Kind::Stat => ("stat", stat(), json!({})),
        Kind::Lines => ("timeseries", lines(), drawn("none", 8, description)),
        Kind::Stack => ("timeseries", lines(), drawn("normal", 40, description)),
        Kind::Heat => ("heatmap", heat(description.unit.as_deref()), json!({})),
        Kind::Table => ("table", table(), json!({ "align": "auto" })),
    };
    let mut defaults = json!({
        "custom": custom,
        "thresholds": { "mode": "absolute", "steps": steps(description) },
        "color": { "mode": if description.kind == Kind::Stat { "thresholds" } else { "palette-classic" } },
    });
    if let Some(unit) = &description.unit {
        defaults["unit"] = unit.as_str().into();
    }
    if matches!(description.kind, Kind::Lines | Kind::Stack) {
        defaults["min"] = 0.into();
    }
    let mut panel = json!({
        "type": kind,
        "title": description.title,
        "description": description.text,
        "datasource": source(),
        "fieldConfig": { "defaults": defaults, "overrides": overrides(description) },
        "options": options,
        "targets": targets(description),
    });
    if description.kind == Kind::Table {
        panel["transformations"] = columns(description);
    }
    panel
}

fn targets(description: &Panel) -> Vec<Value> {
    let target = |(reference, query): (char, &Query)| {
        let (format, instant) = match description.kind {
            Kind::Table => ("table", true),
            Kind::Heat => ("heatmap", false),
            Kind::Stat | Kind::Lines | Kind::Stack => ("time_series", false),
        };
        json!({
            "refId": reference,
            "datasource": source(),
            "expr": scoped(&query.expr),
            "legendFormat": query.legend.as_deref().unwrap_or("__auto"),
            "format": format,
            "instant": instant,
            "range": !instant,
            "editorMode": "code",
        })
    };
    ('A'..='Z').zip(&description.queries).map(target).collect()
}

fn steps(description: &Panel) -> Vec<Value> {
    let step = |color: &str, value: f64| json!({ "color": color, "value": value });
    let (base, mut steps) = match description.red_below {
        Some(value) => ("red", vec![step("green", value)]),
        None => ("green", Vec::new()),
    };
    steps.extend(description.orange.map(|value| step("orange", value)));
    steps.extend(description.red.map(|value| step("red", value)));
    steps.insert(0, json!({ "color": base, "value": null }));
    steps
}
