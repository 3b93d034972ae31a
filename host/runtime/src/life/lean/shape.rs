//! Reads a component and recognises what wit-component makes: the guest, its shim and its fixup.
//!
//! What the guest's imports lead to is followed through all of them. Nothing is taken from names alone.

use std::collections::HashMap;

use wasmparser::{
    CanonicalFunction, CanonicalOption, Chunk, ComponentAlias, ComponentExternalKind,
    ComponentTypeRef, ExternalKind, Instance, Parser, Payload, TypeRef,
};

use super::shim::{filled_slots, forwarding_exports};
use super::{Reason, reason};

/// A component, as far as it has to be known.
pub(super) struct Shape<'a> {
    /// In the order of the component.
    pub(super) items: Vec<Item<'a>>,
    pub(super) core_funcs: Vec<CoreFunc<'a>>,
    /// How many there are on the component's own level.
    pub(super) types: u32,
    pub(super) instances: u32,
    pub(super) funcs: u32,
    /// The guest: its module, the index of its instance, and what it imports.
    pub(super) main: &'a [u8],
    pub(super) main_module: u32,
    pub(super) main_instance: u32,
    pub(super) imports: Vec<Import<'a>>,
}

pub(super) enum Item<'a> {
    /// Left as it is: the identifier of the section and its bytes.
    Section(u8, &'a [u8]),
    /// By the index of the module.
    Module(u32),
    /// By the index of the core instance.
    Instance(u32),
    Alias(ComponentAlias<'a>),
    Canonical(CanonicalFunction),
}

/// What a core function is.
pub(super) enum CoreFunc<'a> {
    /// An export of a core instance.
    Export(u32, &'a str),
    /// A function of the host, lowered.
    Lower(u32, Box<[CanonicalOption]>),
    /// Drops a resource of this type.
    Drop(u32),
}

/// An import of the guest.
pub(super) struct Import<'a> {
    /// How the guest's module names it.
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    /// The interface and the function of the host that it leads to.
    pub(super) host: Named<'a>,
    /// The core function that it leads to.
    pub(super) core_func: u32,
    /// It needs the guest's memory, so the shim stands in between.
    pub(super) through_shim: bool,
}

/// An item of an imported instance: the name of the import, and its own.
pub(super) type Named<'a> = (&'a str, &'a str);

/// What the reader remembers.
#[derive(Default)]
struct Reader<'a> {
    items: Vec<Item<'a>>,
    modules: Vec<&'a [u8]>,
    core_instances: Vec<Instance<'a>>,
    core_funcs: Vec<CoreFunc<'a>>,
    /// The core instances that the core memories are of.
    memories: Vec<u32>,
    types: Vec<Option<Named<'a>>>,
    instances: Vec<Option<&'a str>>,
    funcs: Vec<Option<Named<'a>>>,
}

pub(super) fn read(component: &[u8]) -> Result<Shape<'_>, Reason> {
    let mut reader = Reader::default();
    reader.component(component)?;
    reader.shape()
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn component(&mut self, bytes: &'a [u8]) -> Result<(), Reason> {
        let mut parser = Parser::new(0);
        let mut rest = bytes;
        while !rest.is_empty() {
            let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).map_err(reason)?
            else {
                return Err("it ends too early".into());
            };
            rest = &rest[consumed..];
            let nested = match &payload {
                Payload::ModuleSection {
                    unchecked_range, ..
                }
                | Payload::ComponentSection {
                    unchecked_range, ..
                } => unchecked_range.len(),
                _ => 0,
            };
            rest = rest.get(nested..).ok_or("it ends too early")?;
            self.section(payload, bytes)?;
        }
        Ok(())
    }

    fn section(&mut self, payload: Payload<'a>, bytes: &'a [u8]) -> Result<(), Reason> {
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                self.items.push(Item::Module(count(&self.modules)));
                let module = bytes.get(unchecked_range).ok_or("it ends too early")?;
                self.modules.push(module);
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    self.items.push(Item::Instance(count(&self.core_instances)));
                    self.core_instances.push(instance.map_err(reason)?);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(alias.map_err(reason)?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.canonical(function.map_err(reason)?)?;
                }
            }
            Payload::Version { .. } | Payload::End(_) | Payload::CustomSection(_) => {}
            other => self.own_level(&other, bytes)?,
        }
        Ok(())
    }

    /// Sections that name no core item are left as they are; only what they define is counted.
    fn own_level(&mut self, payload: &Payload<'a>, bytes: &'a [u8]) -> Result<(), Reason> {
        let (id, range) = payload.as_section().ok_or("an unknown section")?;
        let data = bytes.get(range).ok_or("it ends too early")?;
        self.items.push(Item::Section(id, data));
        match payload {
            Payload::ComponentTypeSection(section) => {
                self.types.extend((0..section.count()).map(|_| None));
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import.map_err(reason)?;
                    match import.ty {
                        ComponentTypeRef::Instance(_) => {
                            self.instances.push(Some(import.name.name));
                        }
                        ComponentTypeRef::Type(_) => self.types.push(None),
                        ComponentTypeRef::Func(_) => self.funcs.push(None),
                        _ => return Err("it imports a module, component or value".into()),
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.define(export.map_err(reason)?.kind, None)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                self.instances.extend((0..section.count()).map(|_| None));
            }
            Payload::ComponentSection { .. } => {}
            _ => return Err("a section that is not expected".into()),
        }
        Ok(())
    }

    fn define(
        &mut self,
        kind: ComponentExternalKind,
        named: Option<Named<'a>>,
    ) -> Result<(), Reason> {
        match kind {
            ComponentExternalKind::Type => self.types.push(named),
            ComponentExternalKind::Func => self.funcs.push(named),
            ComponentExternalKind::Instance => self.instances.push(None),
            _ => return Err("it has modules, components or values where none are expected".into()),
        }
        Ok(())
    }

    fn alias(&mut self, alias: ComponentAlias<'a>) -> Result<(), Reason> {
        match &alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let of = self.instances.get(*instance_index as usize);
                let named = of.copied().flatten().map(|of| (of, *name));
                self.define(*kind, named)?;
            }
            ComponentAlias::CoreInstanceExport {
                kind,
                instance_index,
                name,
            } => match kind {
                ExternalKind::Func => self
                    .core_funcs
                    .push(CoreFunc::Export(*instance_index, name)),
                ExternalKind::Memory => self.memories.push(*instance_index),
                ExternalKind::Table => {}
                _ => return Err("it shares globals or tags between core instances".into()),
            },
            ComponentAlias::Outer { .. } => return Err("it has an alias outwards".into()),
        }
        self.items.push(Item::Alias(alias));
        Ok(())
    }

    fn canonical(&mut self, function: CanonicalFunction) -> Result<(), Reason> {
        match &function {
            CanonicalFunction::Lift { .. } => self.funcs.push(None),
            CanonicalFunction::Lower {
                func_index,
                options,
            } => {
                let lower = CoreFunc::Lower(*func_index, options.clone());
                self.core_funcs.push(lower);
            }
            CanonicalFunction::ResourceDrop { resource } => {
                self.core_funcs.push(CoreFunc::Drop(*resource));
            }
            _ => return Err("a canonical function that is not expected".into()),
        }
        self.items.push(Item::Canonical(function));
        Ok(())
    }

    fn shape(self) -> Result<Shape<'a>, Reason> {
        let [main_instance] = self.memories[..] else {
            return Err("it does not have one memory".into());
        };
        let (main_module, main) = self.module(main_instance)?;
        let (shim, fixup) = self.shim_and_fixup(main_instance)?;
        let slots = self.slots(shim, fixup)?;
        let mut imports = Vec::new();
        for (module, name) in module_imports(main)? {
            imports.push(self.import(main_instance, module, name, shim, &slots)?);
        }
        Ok(Shape {
            types: count(&self.types),
            instances: count(&self.instances),
            funcs: count(&self.funcs),
            items: self.items,
            core_funcs: self.core_funcs,
            main,
            main_module,
            main_instance,
            imports,
        })
    }

    /// The module that a core instance is of.
    fn module(&self, instance: u32) -> Result<(u32, &'a [u8]), Reason> {
        match self.core_instances.get(instance as usize) {
            Some(Instance::Instantiate { module_index, .. }) => {
                let module = self.modules.get(*module_index as usize);
                Ok((*module_index, module.ok_or("an unknown module")?))
            }
            _ => Err("its memory is of no module".into()),
        }
    }

    /// The two other instances of modules: the first imports nothing, the second comes last.
    fn shim_and_fixup(&self, main: u32) -> Result<(u32, u32), Reason> {
        let instantiated = |(at, instance): (usize, &Instance<'_>)| match instance {
            Instance::Instantiate { args, .. } => Some((u32::try_from(at).ok()?, args.len())),
            Instance::FromExports(_) => None,
        };
        let modules: Vec<_> = (self.core_instances.iter().enumerate())
            .filter_map(instantiated)
            .collect();
        match modules[..] {
            [(shim, 0), (second, _), (fixup, 1)] if second == main => Ok((shim, fixup)),
            _ => Err("it is not a guest with a shim and a fixup".into()),
        }
    }

    /// The core function that each export of the shim calls.
    fn slots(&self, shim: u32, fixup: u32) -> Result<HashMap<&'a str, u32>, Reason> {
        let (_, shim) = self.module(shim)?;
        let (_, module) = self.module(fixup)?;
        let filled = filled_slots(module)?;
        let mut slots = HashMap::new();
        for (export, slot) in forwarding_exports(shim)? {
            let (module, name) = filled
                .get(slot as usize)
                .ok_or("its shim calls a slot that its fixup does not fill")?;
            slots.insert(export, self.argument(fixup, module, name)?);
        }
        Ok(slots)
    }

    /// The core function that an import of a core instance is given.
    fn argument(&self, instance: u32, module: &str, name: &str) -> Result<u32, Reason> {
        let Some(Instance::Instantiate { args, .. }) = self.core_instances.get(instance as usize)
        else {
            return Err("an instance of no module".into());
        };
        let given = args.iter().find(|arg| arg.name == module);
        let given = given.and_then(|arg| self.core_instances.get(arg.index as usize));
        let Some(Instance::FromExports(exports)) = given else {
            return Err(format!("its import {module} is no list of functions"));
        };
        let export = exports.iter().find(|export| export.name == name);
        match export {
            Some(export) if export.kind == ExternalKind::Func => Ok(export.index),
            _ => Err(format!("its import {module} {name} is no function")),
        }
    }

    fn import(
        &self,
        main: u32,
        module: &'a str,
        name: &'a str,
        shim: u32,
        slots: &HashMap<&str, u32>,
    ) -> Result<Import<'a>, Reason> {
        let given = self.argument(main, module, name)?;
        let (core_func, through_shim) = match self.core_funcs.get(given as usize) {
            Some(CoreFunc::Export(of, export)) if *of == shim => {
                let slot = slots.get(export).ok_or("an unknown export of its shim")?;
                (*slot, true)
            }
            _ => (given, false),
        };
        let host = match self.core_funcs.get(core_func as usize) {
            Some(CoreFunc::Lower(func, _)) => self.funcs.get(*func as usize),
            Some(CoreFunc::Drop(ty)) if !through_shim => self.types.get(*ty as usize),
            _ => None,
        };
        Ok(Import {
            module,
            name,
            host: host.copied().flatten().ok_or("an import of no interface")?,
            core_func,
            through_shim,
        })
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("the parser bounds how many items there are")
}

/// The names of a module's imports, all of which are functions.
fn module_imports(module: &[u8]) -> Result<Vec<(&str, &str)>, Reason> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.map_err(reason)? {
            for import in section.into_imports() {
                let import = import.map_err(reason)?;
                match import.ty {
                    TypeRef::Func(_) => names.push((import.module, import.name)),
                    _ => return Err("it imports a memory, table or global".into()),
                }
            }
        }
    }
    Ok(names)
}
