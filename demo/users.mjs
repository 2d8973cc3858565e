// The people of the demo and the apps they may open. They belong to the app alone: Qlik's own log-in is nowhere in sight.
import { FINANCE, PEOPLE, SALES } from './src/app-ids.js';

export const users = [
  { user: 'ada', name: 'Ada Lovelace', title: 'Sales and finance', apps: [SALES, FINANCE] },
  { user: 'grace', name: 'Grace Hopper', title: 'Sales', apps: [SALES] },
  { user: 'linus', name: 'Linus Torvalds', title: 'People', apps: [PEOPLE] },
];
