// The app's own tokens, signed as a test's app would: HS256 with a secret made for the run; and those that a key signs.
import { createHmac, createSign, randomBytes, randomUUID } from 'node:crypto';

const HOUR = 3600;

/** A secret that nobody else has. */
export function newSecret() {
  return randomBytes(32).toString('base64url');
}

/** A token of the app for `ada`, one session, one hour, unless the claims say otherwise. */
export function signToken(secret, claims) {
  const now = Math.floor(Date.now() / 1000);
  const body = { sub: 'ada', sid: randomUUID(), iat: now, exp: now + HOUR, ...claims };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(body)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** A token that a private key (RSA, PEM) signs, for five minutes. */
export function signByKey(key, claims) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ iat: now, exp: now + 300, ...claims })}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
}

function part(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
