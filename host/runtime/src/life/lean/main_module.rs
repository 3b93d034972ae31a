//! Rewrites the guest's module: imports that need its memory go through its own table, empty WASI is answered within,
//! and globals that never change are numbers in the code. The linker makes dozens of those, and each instance would pay
//! for every one.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    ImportSection, Instruction, Module, TableSection, TypeSection,
};
use wasmparser::{FuncType, Operator, Parser, ValType};

use super::facts::Facts;
use super::shape::Shape;
use super::stand_ins::{Replacement, StandIn, TEXT, prints, slots};
use super::{Reason, reason};

/// The guest's module, rewritten.
pub(super) struct MainModule {
    pub(super) bytes: Vec<u8>,
    /// The first slot of its table that is ours.
    pub(super) first_slot: u32,
}

/// The export of the table that is filled later.
pub(super) const TABLE: &str = "portcullis:imports";

pub(super) fn rewrite(
    shape: &Shape<'_>,
    replacements: &[Replacement],
) -> Result<MainModule, Reason> {
    let facts = Facts::read(shape.main)?;
    let slots = slots(replacements) + u32::from(prints(replacements));
    let mut rewriter = Rewriter::new(&facts, replacements, slots)?;
    let mut module = Module::new();
    utils::parse_core_module(&mut rewriter, &mut module, Parser::new(0), shape.main)
        .map_err(reason)?;
    Ok(MainModule {
        bytes: module.finish(),
        first_slot: facts.table_size,
    })
}

/// A function that is added: its type and its code.
type Added = (u32, Function);

struct Rewriter {
    /// New indices of the imported functions, those that are no longer imported included.
    imports: Vec<u32>,
    /// By import, whether it stays one.
    kept: Vec<bool>,
    /// How many functions are imported, before and after.
    before: u32,
    after: u32,
    added: Vec<Added>,
    slots: u32,
    export_table: bool,
    constants: Vec<Option<i32>>,
}

// === impl Rewriter ===

impl Rewriter {
    fn new(facts: &Facts, replacements: &[Replacement], slots: u32) -> Result<Rewriter, Reason> {
        let kept: Vec<bool> = replacements
            .iter()
            .map(|replacement| *replacement == Replacement::Keep)
            .collect();
        let number = |n: usize| u32::try_from(n).map_err(reason);
        let after = number(kept.iter().filter(|kept| **kept).count())?;
        // Types are added at the end, and so are functions.
        let text = number(facts.types.len())?;
        let slot = |n: u32| {
            let slot = facts.table_size.checked_add(n);
            slot.and_then(|slot| i32::try_from(slot).ok())
                .ok_or_else(|| Reason::from("its table is too large"))
        };
        let stderr = (slot(slots.saturating_sub(1))?, text);
        let (mut imports, mut added) = (Vec::new(), Vec::new());
        let mut staying = 0;
        for (replacement, ty) in replacements.iter().zip(&facts.imports) {
            let signature = facts.signature(*ty).ok_or("an import of no type")?;
            let code = match replacement {
                Replacement::Keep => {
                    imports.push(staying);
                    staying += 1;
                    continue;
                }
                Replacement::Slot(n) => forward(signature, slot(*n)?, *ty)?,
                Replacement::StandIn(stand_in) => {
                    expect(*stand_in, signature)?;
                    stand_in.code(stderr)
                }
            };
            imports.push(after + facts.functions + number(added.len())?);
            added.push((*ty, code));
        }
        Ok(Rewriter {
            imports,
            kept,
            before: number(facts.imports.len())?,
            after,
            added,
            slots,
            export_table: slots > 0,
            constants: facts.constants.clone(),
        })
    }
}

/// Calls a slot of the table with all parameters.
fn forward(signature: &FuncType, slot: i32, ty: u32) -> Result<Function, Reason> {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    for parameter in 0..signature.params().len() {
        code.local_get(u32::try_from(parameter).map_err(reason)?);
    }
    code.i32_const(slot).call_indirect(0, ty).end();
    Ok(function)
}

/// A stand-in is written for one type.
fn expect(stand_in: StandIn, signature: &FuncType) -> Result<(), Reason> {
    let (parameters, result) = stand_in.signature();
    let fits = signature.params() == vec![ValType::I32; parameters]
        && signature.results() == vec![ValType::I32; usize::from(result)];
    if fits {
        Ok(())
    } else {
        Err(format!("an import is not what {stand_in:?} stands in for"))
    }
}

type Encoded = Result<(), Error<Infallible>>;

impl Reencode for Rewriter {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        // An index beyond the imports is moved, one of an import looked up.
        Ok(match self.imports.get(index as usize) {
            Some(import) => *import,
            None => index - self.before + self.after,
        })
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error<Infallible>> {
        let before = self.constants.iter().take(index as usize);
        let gone = before.filter(|constant| constant.is_some()).count();
        Ok(index - u32::try_from(gone).unwrap_or(0))
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> Result<Instruction<'a>, Error<Infallible>> {
        if let Operator::GlobalGet { global_index } = operator
            && let Some(Some(value)) = self.constants.get(global_index as usize)
        {
            return Ok(Instruction::I32Const(*value));
        }
        utils::instruction(self, operator)
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Encoded {
        for (at, global) in section.into_iter().enumerate() {
            let global = global?;
            if self.constants.get(at).copied().flatten().is_none() {
                utils::parse_global(self, globals, global)?;
            }
        }
        Ok(())
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Encoded {
        utils::parse_type_section(self, types, section)?;
        types.ty().function(TEXT, []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Encoded {
        let kept = std::mem::take(&mut self.kept);
        for (import, kept) in section.into_imports().zip(&kept) {
            let import = import?;
            if *kept {
                let ty: EntityType = self.entity_type(import.ty)?;
                imports.import(import.module, import.name, ty);
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Encoded {
        utils::parse_function_section(self, functions, section)?;
        for (ty, _) in &self.added {
            functions.function(*ty);
        }
        Ok(())
    }

    fn parse_table_section(
        &mut self,
        tables: &mut TableSection,
        section: wasmparser::TableSectionReader<'_>,
    ) -> Encoded {
        for (at, table) in section.into_iter().enumerate() {
            let mut table = table?;
            if at == 0 {
                let more = u64::from(self.slots);
                table.ty.initial += more;
                table.ty.maximum = table.ty.maximum.map(|maximum| maximum.saturating_add(more));
            }
            utils::parse_table(self, tables, table)?;
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Encoded {
        utils::parse_export_section(self, exports, section)?;
        if self.export_table {
            exports.export(TABLE, ExportKind::Table, 0);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Encoded {
        utils::parse_code_section(self, code, section)?;
        for (_, function) in &self.added {
            code.function(function);
        }
        Ok(())
    }

    /// Names and notes are of no use to an instance.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Encoded {
        Ok(())
    }
}
