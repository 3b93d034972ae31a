//! How the answers become one, and how a hole in it is told.

use shape::{Compiler, Page, Pointer, Roots, Uses, did_you_mean};

use crate::settings::Settings;

/// How the answers become one.
#[derive(Debug)]
pub enum Output {
    /// Members: name, call, and what of its answer.
    Merge(Vec<(String, usize, Pointer)>),
    /// A template.
    Page(Box<Page>),
}

/// How a lost part is told.
#[derive(Debug)]
pub struct Mark {
    pub(crate) header: Option<String>,
    pub(crate) member: Option<String>,
}

impl Output {
    /// Of the settings; mistakes are noted.
    pub(crate) fn new(
        settings: &Settings,
        names: &[String],
        roots: &Roots,
        uses: &mut Uses,
        compiler: &mut Compiler,
    ) -> Output {
        if let Some(template) = &settings.template {
            if settings.merge.is_some() {
                compiler.mistake("template", "there is `merge` too; keep one of them");
            }
            let page = compiler.page("template", template, true, roots);
            uses.add(page.uses());
            return Output::Page(Box::new(page));
        }
        let Some(merge) = &settings.merge else {
            let members = names.iter().enumerate();
            return Output::Merge(
                members
                    .map(|(at, name)| (name.clone(), at, Pointer::default()))
                    .collect(),
            );
        };
        let mut members = Vec::new();
        for (member, source) in merge {
            let place = format!("merge.{member}");
            let (name, pointer) = source.split_once('#').unwrap_or((source, ""));
            let pointer = compiler.check(&place, Pointer::parse(pointer));
            match (names.iter().position(|known| known == name), pointer) {
                (Some(at), Some(pointer)) => {
                    let default = settings
                        .calls
                        .get(name)
                        .and_then(|call| call.default.as_ref());
                    if default.is_some_and(|default| pointer.get(default).is_none()) {
                        compiler.mistake(
                            &place,
                            format!("calls.{name}.default has nothing there; it stands for the whole answer"),
                        );
                    }
                    members.push((member.clone(), at, pointer));
                }
                (None, _) => {
                    let known: Vec<&str> = names.iter().map(String::as_str).collect();
                    let hint = did_you_mean(name, &known);
                    compiler.mistake(&place, format!("there is no call `{name}`{hint}"));
                }
                (Some(_), None) => {}
            }
        }
        Output::Merge(members)
    }
}

impl Mark {
    /// Of the settings; mistakes are noted.
    pub(crate) fn new(settings: &Settings, output: &Output, compiler: &mut Compiler) -> Mark {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let header = given(&settings.partial.header);
        let member = given(&settings.partial.member);
        if header.is_none() && member.is_none() {
            let text = "a partial answer is never silent; leave `header` or `member`";
            compiler.mistake("partial", text);
        }
        if let Some(header) = &header {
            compiler.header("partial.header", header);
        }
        if let (Output::Merge(members), Some(member)) = (output, &member)
            && members.iter().any(|(name, ..)| name == member)
        {
            compiler.mistake(
                "partial.member",
                format!("`merge` has a member {member} already"),
            );
        }
        Mark { header, member }
    }
}
