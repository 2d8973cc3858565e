// The stand-in's Sales app, and questions to ask of it that every library can put.
import { FINANCE, PEOPLE, SALES } from '../../../demo/src/app-ids.js';

export { FINANCE, PEOPLE, SALES };

/** Properties of a hypercube: a field against a measure. */
export function cubeOf(field, measure) {
  return {
    qInfo: { qType: 'test' },
    qHyperCubeDef: {
      qDimensions: field ? [{ qDef: { qFieldDefs: [field] } }] : [],
      qMeasures: [{ qDef: { qDef: measure } }],
      qInitialDataFetch: [{ qTop: 0, qLeft: 0, qWidth: 2, qHeight: 100 }],
    },
  };
}

/** The rows of a layout's hypercube: text and number, or the number alone. */
export function rowsOf(layout) {
  return layout.qHyperCube.qDataPages[0].qMatrix.map((row) => row.map((cell, at) => (at + 1 < row.length ? cell.qText : cell.qNum)));
}

/** Revenue by region, as a map. */
export async function salesByRegion(app) {
  const object = await app.createSessionObject(cubeOf('Region', 'Sum(Sales)'));
  return new Map(rowsOf(await object.getLayout()));
}

/** The sum of a map's numbers. */
export function total(map) {
  return [...map.values()].reduce((sum, number) => sum + number, 0);
}
