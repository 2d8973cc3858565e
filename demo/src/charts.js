// Draws an app's board with nebula.js: numbers, bars, a table, and the bar of current selections above them.
import barchart from '@nebula.js/sn-bar-chart';
import kpi from '@nebula.js/sn-kpi';
import table from '@nebula.js/sn-table';
import { embed } from '@nebula.js/stardust';

import { theme } from './theme.js';

const TYPES = { barchart, kpi, table };

/** Draws the board into `board` and its selections into `selections`; gives back what undoes both. */
export async function drawBoard({ app, face, board, selections }) {
  const nebula = embed(app, {
    context: { theme: 'atlas', language: 'en-US', constraints: {} },
    themes: [{ id: 'atlas', load: async () => theme }],
    types: Object.entries(TYPES).map(([name, chart]) => ({ name, load: async () => chart })),
  });
  const bar = await nebula.selections();
  // nebula takes it out of the page a moment after it is told to: in a place of its own nobody else
  // has emptied it by then.
  const place = document.createElement('div');
  selections.replaceChildren(place);
  bar.mount(place);
  board.replaceChildren();
  const charts = await Promise.all([
    ...face.kpis.map((spec) => drawKpi(nebula, cell(board, 'kpi', spec.title), spec)),
    ...face.bars.map((spec) => drawBars(nebula, cell(board, 'bars', spec.title), spec)),
    drawTable(nebula, cell(board, 'table', face.table.title), face.table),
  ]);
  return {
    charts,
    clear() {
      charts.forEach((chart) => chart.destroy());
      bar.unmount();
    },
  };
}

function cell(board, kind, title) {
  const card = document.createElement('section');
  card.className = `card ${kind}`;
  const heading = document.createElement('h2');
  heading.textContent = title;
  const element = document.createElement('div');
  element.className = 'chart';
  card.append(heading, element);
  board.append(card);
  return element;
}

function drawKpi(nebula, element, { field }) {
  return nebula.render({
    type: 'kpi',
    element,
    fields: [field],
    properties: { showTitles: false, showMeasureTitle: false, textAlign: 'left', fontSize: 'S' },
  });
}

function drawBars(nebula, element, { dimension, field }) {
  return nebula.render({
    type: 'barchart',
    element,
    fields: [dimension, field],
    properties: {
      showTitles: false,
      color: { auto: false, mode: 'primary' },
      dataPoint: { showLabels: true, showSegmentLabels: false, showTotalLabels: true },
      dimensionAxis: { show: 'labels', dock: 'near', label: 'horizontal', axisDisplayMode: 'auto', continuousAuto: true },
      gridLine: { auto: false, spacing: 0 },
      measureAxis: { show: 'none', dock: 'near', autoMinMax: true, spacing: 1 },
    },
  });
}

function drawTable(nebula, element, { dimensions, measures }) {
  return nebula.render({
    type: 'table',
    element,
    fields: [...dimensions, ...measures.map(({ field }) => field)],
    properties: { showTitles: false, totals: { show: true, position: 'top', label: 'Total' } },
  });
}
