// Holds the boards of deploy/grafana to Grafana's own schema (@grafana/schema), with the TypeScript compiler: every
// board, and every panel with the options of its kind. Arguments: the folder with the packages, then board files.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const [modules, ...files] = process.argv.slice(2);
const ts = require(path.join(modules, 'typescript'));
const composable = '@grafana/schema/dist/esm/raw/composable';

// The module of each kind of panel that boards may use.
const KINDS = {
  stat: 'stat/panelcfg/x/StatPanelCfg_types.gen',
  timeseries: 'timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen',
  heatmap: 'heatmap/panelcfg/x/HeatmapPanelCfg_types.gen',
  table: 'table/panelcfg/x/TablePanelCfg_types.gen',
};

const lines = [
  "import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';",
  // JSON has the words of enumerations, not their names.
  'type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;',
  ...Object.entries(KINDS).map(([kind, file]) => `import type * as ${kind} from '${composable}/${file}';`),
  "type Shared = Omit<Panel, 'type' | 'options' | 'fieldConfig'>;",
  "type Shown<Options, Custom> = Plain<Shared & { options: Options; fieldConfig: { defaults: Omit<FieldConfig, 'custom'> & { custom: Partial<Custom> }; overrides: NonNullable<Panel['fieldConfig']>['overrides'] } }>;",
  // The schema leaves to the data source what it is asked.
  'type Annotation = AnnotationQuery & { target: { refId: string; expr: string; legendFormat: string } };',
  "type Board = Plain<Omit<Dashboard, 'panels' | 'annotations'> & { annotations: { list: Annotation[] } }>;",
  'type OfKind = {',
  '  row: Plain<RowPanel>;',
  '  stat: Shown<stat.Options, {}>;',
  '  timeseries: Shown<timeseries.Options, timeseries.FieldConfig>;',
  '  heatmap: Shown<heatmap.Options, heatmap.FieldConfig>;',
  '  table: Shown<table.Options, table.FieldConfig>;',
  '};',
];
for (const file of files) {
  const { panels, ...rest } = JSON.parse(fs.readFileSync(file, 'utf8'));
  lines.push(`// ${file}`, `({ ...${JSON.stringify(rest)} } satisfies Board);`);
  for (const { type, ...panel } of panels) {
    lines.push(
      `// ${file}: ${panel.title}`,
      type === 'row'
        ? `(${JSON.stringify({ type, ...panel })} satisfies OfKind['row']);`
        : `(${JSON.stringify(panel)} satisfies OfKind[${JSON.stringify(type)}]);`,
    );
  }
}

const name = path.join(path.dirname(modules), 'boards.ts');
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.Node16,
  moduleResolution: ts.ModuleResolutionKind.Node16,
  types: [],
};
const host = ts.createCompilerHost(options);
const text = lines.join('\n');
const { getSourceFile, fileExists, readFile } = host;
host.fileExists = (file) => file === name || fileExists(file);
host.readFile = (file) => (file === name ? text : readFile(file));
host.getSourceFile = (file, version) =>
  file === name ? ts.createSourceFile(file, text, version) : getSourceFile(file, version);

const program = ts.createProgram([name], options, host);
const found = ts.getPreEmitDiagnostics(program);
for (const diagnostic of found) {
  const at = diagnostic.file ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line : 0;
  const where = lines[at - 1] ?? name;
  console.error(`${where.replace(/^\/\/ /, '')}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`);
}
process.exit(found.length === 0 ? 0 : 1);
