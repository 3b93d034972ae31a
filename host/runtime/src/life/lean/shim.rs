//! Reads the two modules that stand between a guest and its imports: the shim, whose exports call slots of a table, and
//! the fixup, which fills that table.

use wasmparser::{ElementItems, ElementKind, ExternalKind, Operator, Parser, Payload, TypeRef};

use super::{Reason, reason};

/// The exports of a shim, and the slot of its table that each calls with what it was given.
pub(super) fn forwarding_exports(shim: &[u8]) -> Result<Vec<(&str, u32)>, Reason> {
    let (mut exports, mut slots) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(shim) {
        match payload.map_err(reason)? {
            Payload::ImportSection(_)
            | Payload::StartSection { .. }
            | Payload::ElementSection(_) => {
                return Err("its shim does more than to forward".into());
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(reason)?;
                    if export.kind == ExternalKind::Func {
                        exports.push((export.name, export.index));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let operators = body.get_operators_reader().map_err(reason)?;
                let operators: Vec<_> = operators
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .map_err(reason)?;
                slots.push(forwarded(&operators).ok_or("its shim does more than to forward")?);
            }
            _ => {}
        }
    }
    let slot = |(name, function): (_, u32)| {
        let slot = slots.get(function as usize);
        slot.map(|slot| (name, *slot))
            .ok_or_else(|| "its shim exports what it does not have".into())
    };
    exports.into_iter().map(slot).collect()
}

/// The slot that a function calls with all its parameters in order, if that is all it does.
fn forwarded(operators: &[Operator<'_>]) -> Option<u32> {
    let (parameters, call) = operators.split_at_checked(operators.len().checked_sub(3)?)?;
    let in_order = |(at, operator): (usize, &Operator<'_>)| matches!(operator, Operator::LocalGet { local_index } if *local_index as usize == at);
    match call {
        [
            Operator::I32Const { value },
            Operator::CallIndirect { table_index: 0, .. },
            Operator::End,
        ] if parameters.iter().enumerate().all(in_order) => u32::try_from(*value).ok(),
        _ => None,
    }
}

/// The imports that a fixup writes into the table, by slot.
pub(super) fn filled_slots(fixup: &[u8]) -> Result<Vec<(&str, &str)>, Reason> {
    let other = || Reason::from("its fixup does more than to fill a table");
    let (mut functions, mut slots) = (Vec::new(), None);
    for payload in Parser::new(0).parse_all(fixup) {
        match payload.map_err(reason)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(reason)?;
                    match import.ty {
                        TypeRef::Func(_) => functions.push((import.module, import.name)),
                        TypeRef::Table(_) => {}
                        _ => return Err(other()),
                    }
                }
            }
            Payload::ElementSection(section) => {
                let mut segments = section.into_iter();
                let segment = segments.next().ok_or_else(other)?.map_err(reason)?;
                let ElementKind::Active { offset_expr, .. } = segment.kind else {
                    return Err(other());
                };
                let mut offset = offset_expr.get_operators_reader();
                let first = offset.read().map_err(reason)?;
                let ElementItems::Functions(items) = segment.items else {
                    return Err(other());
                };
                if !matches!(first, Operator::I32Const { value: 0 }) || segments.next().is_some() {
                    return Err(other());
                }
                let items: Result<Vec<u32>, _> = items.into_iter().collect();
                slots = Some(items.map_err(reason)?);
            }
            Payload::StartSection { .. } | Payload::CodeSectionStart { .. } => return Err(other()),
            _ => {}
        }
    }
    let function = |index: u32| functions.get(index as usize).copied().ok_or_else(other);
    slots.ok_or_else(other)?.into_iter().map(function).collect()
}
