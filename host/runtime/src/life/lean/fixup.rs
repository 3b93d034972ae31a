//! Writes the module that connects a lean guest: last of all, it fills the guest's table with what the host lowered.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, ElementSection, Elements, EntityType, ImportSection, Module, RefType, TableType,
    TypeSection,
};
use wasmparser::{Parser, Payload};

use super::main_module::TABLE;
use super::shape::Shape;
use super::stand_ins::{Replacement, TEXT, prints};
use super::{Reason, reason};

/// The module that writes the functions it is given into the guest's table.
pub(super) fn fixup(
    shape: &Shape<'_>,
    replacements: &[Replacement],
    first: u32,
) -> Result<Module, Reason> {
    // Those of the guest, so that the types of its imports keep their numbers.
    let (mut types, text, imports_of_main) = types_and_imports(shape.main)?;
    types.ty().function(TEXT, []);
    let mut imports = ImportSection::new();
    let mut slot = 0;
    let mut import = |ty: u32| {
        imports.import("", &slot.to_string(), EntityType::Function(ty));
        slot += 1;
    };
    for (ty, replacement) in imports_of_main.iter().zip(replacements) {
        if let Replacement::Slot(_) = replacement {
            import(*ty);
        }
    }
    if prints(replacements) {
        import(text);
    }
    let functions: Vec<u32> = (0..slot).collect();
    let table = TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(first + slot),
        maximum: None,
        shared: false,
    };
    imports.import("", TABLE, EntityType::Table(table));
    let mut elements = ElementSection::new();
    let offset = ConstExpr::i32_const(i32::try_from(first).map_err(reason)?);
    elements.active(Some(0), &offset, Elements::Functions(functions.into()));
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&elements);
    Ok(module)
}

/// The types of a module, how many they are, and by import which of them it has.
fn types_and_imports(module: &[u8]) -> Result<(TypeSection, u32, Vec<u32>), Reason> {
    let (mut types, mut count, mut imports) = (TypeSection::new(), 0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(reason)? {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    let group = group.map_err(reason)?.into_types();
                    count += u32::try_from(group.len()).map_err(reason)?;
                }
                RoundtripReencoder
                    .parse_type_section(&mut types, section)
                    .map_err(reason)?;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let wasmparser::TypeRef::Func(ty) = import.map_err(reason)?.ty {
                        imports.push(ty);
                    }
                }
                break;
            }
            _ => {}
        }
    }
    Ok((types, count, imports))
}
