// The app's own log-in page. A demo asks for no password: who you are is the only question.
const STYLE = `
  :root { color-scheme: light; }
  * { box-sizing: border-box; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f4f5f2; color: #1e2a28;
         font: 15px/1.5 ui-sans-serif, system-ui, "Segoe UI", "Source Sans 3", "DejaVu Sans", sans-serif; }
  main { width: min(420px, 92vw); }
  h1 { font-size: 26px; font-weight: 600; letter-spacing: -.02em; margin: 0 0 4px; }
  p { margin: 0 0 28px; color: #5d6b68; }
  form { display: grid; gap: 10px; }
  button { display: flex; justify-content: space-between; align-items: center; width: 100%; padding: 16px 18px; cursor: pointer;
           text-align: left; font: inherit; color: inherit; background: #fff; border: 1px solid #e0e4df; border-radius: 12px;
           transition: border-color .15s, box-shadow .15s; }
  button:hover, button:focus-visible { border-color: #1f7a6d; box-shadow: 0 0 0 3px #1f7a6d1f; outline: none; }
  b { font-weight: 600; }
  small { color: #7c8986; }
  .wrong { color: #a3412f; margin: 0 0 16px; }
`;

/** The page as HTML, with a word about what went wrong, if anything did. */
export function loginPage(users, wrong) {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Log in</title>
  <link rel="icon" href="/favicon.svg">
  <style>${STYLE}</style>
</head>
<body>
  <main>
    <h1>Who are you?</h1>
    <p>This is the app's own log-in. Qlik never asks you anything.</p>
    ${wrong && `<p class="wrong" role="alert">${wrong}</p>`}
    <form method="post" action="/login">${users.map(choice).join('')}</form>
  </main>
</body>
</html>
`;
}

function choice({ user, name, title }) {
  return `
      <button name="user" value="${user}"><b>${name}</b><small>${title}</small></button>`;
}
