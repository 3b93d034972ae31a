//! Writes the lean component. Its own level stays as it was, index by index; core items are numbered again.

use wasm_encoder::reencode::{Reencode, ReencodeComponent, RoundtripReencoder};
use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentImportSection, ComponentTypeRef, ComponentTypeSection,
    ComponentValType, ExportKind, InstanceSection, InstanceType, ModuleArg, PrimitiveValType,
    RawSection,
};
use wasmparser::{CanonicalFunction, ComponentAlias, ExternalKind};

use super::fixup::fixup;
use super::main_module::{MainModule, TABLE};
use super::shape::{CoreFunc, Item, Shape};
use super::stand_ins::{Replacement, prints};
use super::{Reason, reason};
use crate::guest::wasi::interfaces::{STDERR, WRITE};

pub(super) fn encode(
    shape: &Shape<'_>,
    replacements: &[Replacement],
    main: &MainModule,
) -> Result<Vec<u8>, Reason> {
    let mut writer = Writer {
        shape,
        replacements,
        main,
        component: Component::new(),
        needed: needed(shape, replacements),
        funcs: vec![None; shape.core_funcs.len()],
        next_func: 0,
        read_funcs: 0,
        main_instance: None,
        instances: 0,
    };
    for item in &shape.items {
        writer.item(item)?;
    }
    writer.finish()
}

/// The core functions that stay, by index: those that imports lead to, and those that are lifted.
fn needed(shape: &Shape<'_>, replacements: &[Replacement]) -> Vec<bool> {
    let mut needed = vec![false; shape.core_funcs.len()];
    let mut need = |index: u32| {
        if let Some(needed) = needed.get_mut(index as usize) {
            *needed = true;
        }
    };
    let realloc = |options: &[wasmparser::CanonicalOption], need: &mut dyn FnMut(u32)| {
        for option in options {
            if let wasmparser::CanonicalOption::Realloc(function) = option {
                need(*function);
            }
        }
    };
    for (import, replacement) in shape.imports.iter().zip(replacements) {
        if matches!(replacement, Replacement::StandIn(_)) {
            continue;
        }
        need(import.core_func);
        if let Some(CoreFunc::Lower(_, options)) = shape.core_funcs.get(import.core_func as usize) {
            realloc(options, &mut need);
        }
    }
    for item in &shape.items {
        if let Item::Canonical(CanonicalFunction::Lift {
            core_func_index,
            options,
            ..
        }) = item
        {
            need(*core_func_index);
            realloc(options, &mut need);
        }
    }
    needed
}

struct Writer<'a> {
    shape: &'a Shape<'a>,
    replacements: &'a [Replacement],
    main: &'a MainModule,
    component: Component,
    needed: Vec<bool>,
    /// New indices of core functions.
    funcs: Vec<Option<u32>>,
    next_func: u32,
    /// Core functions seen so far.
    read_funcs: u32,
    main_instance: Option<u32>,
    /// Core instances written so far.
    instances: u32,
}

// === impl Writer ===

impl Writer<'_> {
    fn item(&mut self, item: &Item<'_>) -> Result<(), Reason> {
        match item {
            Item::Section(id, data) => {
                self.component.section(&RawSection { id: *id, data });
            }
            Item::Module(module) => {
                if *module == self.shape.main_module {
                    let data = &self.main.bytes;
                    self.component.section(&RawSection { id: 1, data });
                }
            }
            Item::Instance(instance) => {
                if *instance == self.shape.main_instance {
                    self.instantiate_main()?;
                }
            }
            Item::Alias(alias) => self.alias(alias)?,
            Item::Canonical(function) => self.canonical(function)?,
        }
        Ok(())
    }

    /// The guest with what it still imports directly.
    fn instantiate_main(&mut self) -> Result<(), Reason> {
        let mut section = InstanceSection::new();
        let mut modules: Vec<(&str, Vec<(&str, u32)>)> = Vec::new();
        for (import, replacement) in self.shape.imports.iter().zip(self.replacements) {
            if *replacement != Replacement::Keep {
                continue;
            }
            let function = (import.name, self.func(import.core_func)?);
            match modules.iter_mut().find(|(name, _)| *name == import.module) {
                Some((_, functions)) => functions.push(function),
                None => modules.push((import.module, vec![function])),
            }
        }
        let mut arguments = Vec::new();
        for (name, functions) in modules {
            let exports = functions
                .into_iter()
                .map(|(name, index)| (name, ExportKind::Func, index));
            section.export_items(exports);
            arguments.push((name, ModuleArg::Instance(self.next_instance())));
        }
        section.instantiate(0, arguments);
        self.main_instance = Some(self.next_instance());
        self.component.section(&section);
        Ok(())
    }

    fn next_instance(&mut self) -> u32 {
        self.instances += 1;
        self.instances - 1
    }

    /// The new index of a core function.
    fn func(&self, old: u32) -> Result<u32, Reason> {
        let new = self.funcs.get(old as usize).copied().flatten();
        new.ok_or_else(|| "a core function is used before it is there".into())
    }

    /// Whether the core function that is read next stays; if so it has a new index from here on.
    fn next_func(&mut self) -> bool {
        let at = self.read_funcs as usize;
        self.read_funcs += 1;
        let stays = self.needed.get(at).copied().unwrap_or(false);
        if stays && let Some(func) = self.funcs.get_mut(at) {
            *func = Some(self.next_func);
            self.next_func += 1;
        }
        stays
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), Reason> {
        let encoded = match alias {
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let of_main = *instance_index == self.shape.main_instance;
                let stays = match kind {
                    ExternalKind::Func => self.next_func(),
                    // One of the guest's memory, and no table.
                    kind => *kind == ExternalKind::Memory && of_main,
                };
                if !stays {
                    return Ok(());
                }
                if !of_main {
                    return Err("it uses an export of its shim".into());
                }
                Alias::CoreInstanceExport {
                    instance: self.main_instance.ok_or("an export of what is not there")?,
                    kind: RoundtripReencoder.export_kind(*kind).map_err(reason)?,
                    name,
                }
            }
            own_level => RoundtripReencoder
                .component_alias(own_level.clone())
                .map_err(reason)?,
        };
        let mut section = ComponentAliasSection::new();
        section.alias(encoded);
        self.component.section(&section);
        Ok(())
    }

    fn canonical(&mut self, function: &CanonicalFunction) -> Result<(), Reason> {
        let mut section = CanonicalFunctionSection::new();
        match function {
            CanonicalFunction::Lift {
                core_func_index,
                type_index,
                options,
            } => {
                let options = self.options(options)?;
                section.lift(self.func(*core_func_index)?, *type_index, options);
            }
            CanonicalFunction::Lower {
                func_index,
                options,
            } => {
                if !self.next_func() {
                    return Ok(());
                }
                section.lower(*func_index, self.options(options)?);
            }
            CanonicalFunction::ResourceDrop { resource } => {
                if !self.next_func() {
                    return Ok(());
                }
                section.resource_drop(*resource);
            }
            _ => return Err("a canonical function that is not expected".into()),
        }
        self.component.section(&section);
        Ok(())
    }

    /// Without what would free the results of a call.
    fn options(
        &self,
        options: &[wasmparser::CanonicalOption],
    ) -> Result<Vec<CanonicalOption>, Reason> {
        let mut encoded = Vec::new();
        for option in options {
            encoded.push(match option {
                wasmparser::CanonicalOption::UTF8 => CanonicalOption::UTF8,
                wasmparser::CanonicalOption::UTF16 => CanonicalOption::UTF16,
                wasmparser::CanonicalOption::CompactUTF16 => CanonicalOption::CompactUTF16,
                // There is one memory, that of the guest.
                wasmparser::CanonicalOption::Memory(_) => CanonicalOption::Memory(0),
                wasmparser::CanonicalOption::Realloc(function) => {
                    CanonicalOption::Realloc(self.func(*function)?)
                }
                wasmparser::CanonicalOption::PostReturn(_) => continue,
                _ => return Err("a canonical option that is not expected".into()),
            });
        }
        Ok(encoded)
    }

    /// Last, what fills the guest's table.
    fn finish(mut self) -> Result<Vec<u8>, Reason> {
        let mut filling = Vec::new();
        for (import, replacement) in self.shape.imports.iter().zip(self.replacements) {
            if let Replacement::Slot(_) = replacement {
                filling.push(self.func(import.core_func)?);
            }
        }
        if prints(self.replacements) {
            filling.push(self.stderr());
        }
        if filling.is_empty() {
            return Ok(self.component.finish());
        }
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::CoreInstanceExport {
            instance: self.main_instance.ok_or("an export of what is not there")?,
            kind: ExportKind::Table,
            name: TABLE,
        });
        self.component.section(&aliases);
        let first = self.main.first_slot;
        let module = fixup(self.shape, self.replacements, first)?.finish();
        let data = &module;
        self.component.section(&RawSection { id: 1, data });
        let mut section = InstanceSection::new();
        let names: Vec<String> = (0..filling.len()).map(|slot| slot.to_string()).collect();
        let functions = names
            .iter()
            .zip(filling)
            .map(|(name, function)| (name.as_str(), ExportKind::Func, function));
        let table = std::iter::once((TABLE, ExportKind::Table, 0));
        section.export_items(functions.chain(table).collect::<Vec<_>>());
        let arguments = ModuleArg::Instance(self.next_instance());
        section.instantiate(1, [("", arguments)]);
        self.component.section(&section);
        Ok(self.component.finish())
    }

    /// Imports where to print, and lowers it.
    fn stderr(&mut self) -> u32 {
        let mut interface = InstanceType::new();
        interface.ty().defined_type().list(PrimitiveValType::U8);
        let mut write = interface.ty().function();
        write.params([("text", ComponentValType::Type(0))]);
        write.result(None);
        interface.export(WRITE, ComponentTypeRef::Func(1));
        let mut types = ComponentTypeSection::new();
        types.instance(&interface);
        let mut imports = ComponentImportSection::new();
        imports.import(STDERR, ComponentTypeRef::Instance(self.shape.types));
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::InstanceExport {
            instance: self.shape.instances,
            kind: ComponentExportKind::Func,
            name: WRITE,
        });
        let mut lowered = CanonicalFunctionSection::new();
        lowered.lower(self.shape.funcs, [CanonicalOption::Memory(0)]);
        self.component.section(&types);
        self.component.section(&imports);
        self.component.section(&aliases);
        self.component.section(&lowered);
        self.next_func += 1;
        self.next_func - 1
    }
}
