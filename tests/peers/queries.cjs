// Reads PromQL with Prometheus's own grammar (@prometheus-io/lezer-promql) and tells what it names. Argument: the
// folder with the packages. stdin: a JSON array of queries. stdout: for each, in order,
//   { error, selectors: [{ metric, matchers: [{ label, op, value }] }], grouping: [label] }
'use strict';
const path = require('node:path');

const { parser } = require(path.join(process.argv[2], '@prometheus-io/lezer-promql'));
const queries = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));

function read(query) {
  const told = { error: null, selectors: [], grouping: [] };
  const text = (node) => query.slice(node.from, node.to);
  const matcher = (node) => ({
    label: text(node.firstChild),
    op: text(node.firstChild.nextSibling),
    value: text(node.lastChild).slice(1, -1),
  });
  parser.parse(query).iterate({
    enter({ node }) {
      if (node.type.isError) {
        told.error ??= `not PromQL from ${JSON.stringify(query.slice(node.from, node.from + 30))} on`;
      }
      if (node.name === 'VectorSelector') {
        const metric = node.getChild('Identifier');
        const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
        told.selectors.push({ metric: metric && text(metric), matchers: matchers.map(matcher) });
      }
      if (node.name === 'GroupingLabels') {
        told.grouping.push(...node.getChildren('LabelName').map(text));
      }
    },
  });
  return told;
}

process.stdout.write(JSON.stringify(queries.map(read)));
