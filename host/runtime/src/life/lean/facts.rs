//! What has to be known of the guest's module before it is rewritten.

use wasmparser::{
    CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType,
    Global, Operator, Parser, Payload, RefType, TableInit, ValType,
};

use super::{Reason, reason};

/// What has to be known of a module before it is rewritten.
#[derive(Default)]
pub(super) struct Facts {
    /// The types of its functions; None where it is none.
    pub(super) types: Vec<Option<FuncType>>,
    /// By import, its type.
    pub(super) imports: Vec<u32>,
    pub(super) functions: u32,
    pub(super) table_size: u32,
    tables: usize,
    memories: usize,
    /// By global, its value if it is a number that never changes and nobody else sees.
    pub(super) constants: Vec<Option<i32>>,
    /// Something that is no code reads a global.
    globals_are_read: bool,
}

// === impl Facts ===

impl Facts {
    pub(super) fn read(module: &[u8]) -> Result<Facts, Reason> {
        let mut facts = Facts::default();
        for payload in Parser::new(0).parse_all(module) {
            facts.note(payload.map_err(reason)?)?;
        }
        if facts.globals_are_read {
            facts.constants.fill(None);
        }
        if facts.memories == 1 && facts.tables > 0 {
            Ok(facts)
        } else {
            Err("it does not have one memory and a table".into())
        }
    }

    pub(super) fn signature(&self, ty: u32) -> Option<&FuncType> {
        self.types.get(ty as usize)?.as_ref()
    }

    fn note(&mut self, payload: Payload<'_>) -> Result<(), Reason> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group.map_err(reason)?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import.map_err(reason)?.ty {
                        wasmparser::TypeRef::Func(ty) => self.imports.push(ty),
                        _ => return Err("it imports a memory, table or global".into()),
                    }
                }
            }
            Payload::FunctionSection(section) => self.functions = section.count(),
            Payload::TableSection(section) => self.note_tables(section)?,
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memories += 1;
                    if memory.map_err(reason)?.memory64 {
                        return Err("its memory is one of 64 bits".into());
                    }
                }
            }
            other => self.note_globals(other)?,
        }
        Ok(())
    }

    fn note_tables(&mut self, section: wasmparser::TableSectionReader<'_>) -> Result<(), Reason> {
        for table in section {
            let table = table.map_err(reason)?;
            self.tables += 1;
            if self.tables > 1 {
                continue;
            }
            let plain = table.ty.element_type == RefType::FUNCREF
                && !table.ty.table64
                && matches!(table.init, TableInit::RefNull);
            if !plain {
                return Err("its table is none of functions".into());
            }
            self.table_size = u32::try_from(table.ty.initial).map_err(reason)?;
        }
        Ok(())
    }

    /// The globals, and who reads them.
    fn note_globals(&mut self, payload: Payload<'_>) -> Result<(), Reason> {
        match payload {
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.map_err(reason)?;
                    self.constants.push(constant(&global));
                    self.note_reader(&global.init_expr);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(reason)?;
                    if export.kind == ExternalKind::Global
                        && let Some(seen) = self.constants.get_mut(export.index as usize)
                    {
                        *seen = None;
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element.map_err(reason)?;
                    if let ElementKind::Active { offset_expr, .. } = &element.kind {
                        self.note_reader(offset_expr);
                    }
                    if let ElementItems::Expressions(..) = element.items {
                        self.globals_are_read = true;
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    if let DataKind::Active { offset_expr, .. } = data.map_err(reason)?.kind {
                        self.note_reader(&offset_expr);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An expression that is anything but one number may read a global.
    fn note_reader(&mut self, expression: &ConstExpr<'_>) {
        let mut operators = expression.get_operators_reader();
        let plain = matches!(
            operators.read(),
            Ok(Operator::I32Const { .. }
                | Operator::I64Const { .. }
                | Operator::F32Const { .. }
                | Operator::F64Const { .. }
                | Operator::V128Const { .. }
                | Operator::RefNull { .. }
                | Operator::RefFunc { .. })
        ) && matches!(operators.read(), Ok(Operator::End));
        self.globals_are_read |= !plain;
    }
}

/// The value of a global that never changes.
fn constant(global: &Global<'_>) -> Option<i32> {
    let mut operators = global.init_expr.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else {
        return None;
    };
    let never_changes = !global.ty.mutable && global.ty.content_type == ValType::I32;
    let alone = matches!(operators.read(), Ok(Operator::End));
    (never_changes && alone).then_some(value)
}
