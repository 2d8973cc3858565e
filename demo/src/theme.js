// The page's colours and type, told to nebula, so that the charts look as the page does.
export const theme = {
  type: 'light',
  fontFamily: '"Inter Variable", system-ui, sans-serif',
  color: '#5d6b68',
  backgroundColor: 'transparent',
  dataColors: { primaryColor: '#1f7a6d', othersColor: '#c9d1ce', errorColor: '#a3412f', nullColor: '#c9d1ce' },
  object: {
    barChart: {
      axis: { label: { name: { color: '#5d6b68', fontSize: '11px' } }, line: { major: { color: '#d9dedb' }, minor: { color: '#eceeeb' } } },
      grid: { line: { highContrast: { color: '#d9dedb' }, major: { color: '#e7eae6' }, minor: { color: '#f1f3f0' } } },
      label: { value: { color: '#1e2a28', fontSize: '11px' } },
    },
  },
};
