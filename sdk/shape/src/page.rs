//! A whole body by a Jinja template.

use minijinja::{Environment, Value};

use crate::engine::{JSON_PAGE, shared};
use crate::trouble::told;
use crate::words::words_of_page;
use crate::{Json, Roots, Trouble, Uses};

/// The name of a page that is no JSON.
const TEXT_PAGE: &str = "text";

/// Compiled.
#[derive(Debug)]
pub struct Page {
    // The engine lends templates; to keep one, its engine is kept.
    engine: Environment<'static>,
    name: &'static str,
    uses: Uses,
}

impl Page {
    /// Parses it; every mistake is appended. `json`: every value that it prints is written as JSON.
    pub(crate) fn parse(
        source: &str,
        json: bool,
        roots: &Roots,
        mistakes: &mut Vec<String>,
    ) -> Page {
        let mut page = Page {
            engine: shared().clone(),
            name: if json { JSON_PAGE } else { TEXT_PAGE },
            uses: Uses::default(),
        };
        let added = page.engine.add_template_owned(page.name, source.to_owned());
        match added.and_then(|()| page.engine.get_template(page.name)) {
            Ok(template) => {
                let nested = template.undeclared_variables(true);
                page.uses = roots.uses(&nested, &words_of_page(source), mistakes);
            }
            Err(error) => mistakes.push(told(&error)),
        }
        page
    }

    /// What it takes from the exchange.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// The body.
    pub fn fill(&self, scope: &Value) -> Result<String, Trouble> {
        Ok(self.engine.get_template(self.name)?.render(scope.clone())?)
    }

    /// The body as JSON; what is none is the template's mistake.
    pub fn fill_json(&self, scope: &Value) -> Result<Json, Trouble> {
        Json::parse(self.fill(scope)?.as_bytes())
            .map_err(|error| Trouble::Broken(format!("the template made no JSON: {error}")))
    }
}
