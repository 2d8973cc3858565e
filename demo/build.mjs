// Bundles the page into dist/: one script, one style sheet, the HTML. No CDN, nothing fetched at run time.
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await rm(here('dist'), { recursive: true, force: true });
await mkdir(here('dist'));
await build({
  entryPoints: { page: here('src/page.js') },
  bundle: true,
  define: { 'process.env.NODE_ENV': '"production"' },
  format: 'esm',
  legalComments: 'none',
  loader: { '.woff2': 'dataurl' },
  logLevel: 'warning',
  minify: true,
  outdir: here('dist'),
  target: 'es2022',
});
for (const name of ['favicon.svg', 'index.html']) await copyFile(here(`src/${name}`), here(`dist/${name}`));
