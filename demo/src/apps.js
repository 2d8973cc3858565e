// What the page draws of each app. A person's own apps come from the session; these are their faces.
import { FINANCE, PEOPLE, SALES } from './app-ids.js';

const WHOLE = { qType: 'F', qFmt: '#,##0', qnDec: 0, qUseThou: 1 };
const TENTHS = { qType: 'F', qFmt: '#,##0.0', qnDec: 1, qUseThou: 1 };

export const apps = new Map([
  [SALES, {
    title: 'Sales',
    kpis: [
      measure('Revenue', 'Sum(Sales)'),
      measure('Margin', 'Sum(Margin)'),
      measure('Customers', 'Count(DISTINCT Customer)', WHOLE),
    ],
    bars: [
      { dimension: 'Region', ...measure('Revenue by region, millions', 'Sum(Sales)/1000000', TENTHS) },
      { dimension: 'Category', ...measure('Margin by category, millions', 'Sum(Margin)/1000000', TENTHS) },
    ],
    table: {
      title: 'Products',
      dimensions: ['Product', 'Category'],
      measures: [measure('Revenue', 'Sum(Sales)', WHOLE), measure('Units', 'Sum(Quantity)', WHOLE)],
    },
  }],
  [FINANCE, {
    title: 'Finance',
    kpis: [
      measure('Budget', 'Sum(Budget)'),
      measure('Actual', 'Sum(Actual)'),
      measure('Entries', 'Count(Account)', WHOLE),
    ],
    bars: [
      { dimension: 'Department', ...measure('Actual by department, millions', 'Sum(Actual)/1000000', TENTHS) },
      { dimension: 'Account', ...measure('Actual by account, millions', 'Sum(Actual)/1000000', TENTHS) },
    ],
    table: {
      title: 'Ledger',
      dimensions: ['Department', 'Account'],
      measures: [measure('Budget', 'Sum(Budget)', WHOLE), measure('Actual', 'Sum(Actual)', WHOLE)],
    },
  }],
  [PEOPLE, {
    title: 'People',
    kpis: [
      measure('People', 'Count(DISTINCT Employee)', WHOLE),
      measure('Mean salary', 'Avg(Salary)'),
      measure('Mean age', 'Avg(Age)', TENTHS),
    ],
    bars: [
      { dimension: 'Team', ...measure('People by team', 'Count(DISTINCT Employee)', WHOLE) },
      { dimension: 'Office', ...measure('People by office', 'Count(DISTINCT Employee)', WHOLE) },
    ],
    table: {
      title: 'Teams',
      dimensions: ['Office', 'Team'],
      measures: [measure('People', 'Count(DISTINCT Employee)', WHOLE), measure('Mean salary', 'Avg(Salary)', WHOLE)],
    },
  }],
]);

/** A measure as a chart's property: without a format, nebula abbreviates (2.6M). */
function measure(title, expression, format) {
  const number = format ? { qNumFormat: format, isCustomFormatted: true, numFormatFromTemplate: false } : {};
  const colour = { conditionalColoring: { useConditionalColoring: false, paletteSingleColor: { index: -1, color: '#1e2a28' } } };
  return { title, field: { qDef: { qDef: expression, qLabel: title, ...number, ...colour } } };
}
