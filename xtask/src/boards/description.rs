//! What the author of a board writes.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Board {
    pub(super) title: String,
    pub(super) text: String,
    /// What the board can be narrowed to, beside instances.
    #[serde(default)]
    pub(super) variables: Vec<Variable>,
    pub(super) row: Vec<Row>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Variable {
    Route,
    Upstream,
    Plugin,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) panel: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) kind: Kind,
    /// What it shows, and what to make of it.
    pub(super) text: String,
    /// As Grafana names it; those of a table's columns are in its queries.
    #[serde(default)]
    pub(super) unit: Option<String>,
    pub(super) queries: Vec<Query>,
    /// Of 24.
    #[serde(default)]
    pub(super) width: Option<u32>,
    /// From this value on it is a warning.
    #[serde(default)]
    pub(super) orange: Option<f64>,
    /// From this value on it is bad.
    #[serde(default)]
    pub(super) red: Option<f64>,
    /// Below this value it is bad.
    #[serde(default)]
    pub(super) red_below: Option<f64>,
    /// The label that names a table's rows.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// The board that a click on a table's row opens, for its key.
    #[serde(default)]
    pub(super) opens: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// One number, with its course.
    Stat,
    Lines,
    /// Lines on top of each other.
    Stack,
    /// Buckets of a histogram over time.
    Heat,
    Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// PromQL, where `{scope}` and `{scope, …}` narrow a metric to the instances chosen.
    pub(super) expr: String,
    #[serde(default)]
    pub(super) legend: Option<String>,
    /// A table's column.
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) unit: Option<String>,
}

impl Variable {
    pub(super) fn name(self) -> &'static str {
        match self {
            Variable::Route => "route",
            Variable::Upstream => "upstream",
            Variable::Plugin => "plugin",
        }
    }

    /// The metric that has a sample for each of its values.
    pub(super) fn metric(self) -> &'static str {
        match self {
            Variable::Route => "portcullis_requests_total",
            Variable::Upstream => "portcullis_servers",
            Variable::Plugin => "portcullis_plugin_calls_total",
        }
    }
}

impl Kind {
    /// Of 24.
    pub(super) fn width(self) -> u32 {
        match self {
            Kind::Stat => 4,
            Kind::Lines | Kind::Stack | Kind::Heat | Kind::Table => 12,
        }
    }

    pub(super) fn height(self) -> u32 {
        match self {
            Kind::Stat => 4,
            Kind::Lines | Kind::Stack | Kind::Heat | Kind::Table => 8,
        }
    }
}
