// The ids of the engine's apps, known to the page and to the server.
export const SALES = '5b7e1c52-3f0a-4d7e-9a51-1f6b0c9d2e01';
export const FINANCE = 'c2a94f7d-8e13-4b60-b7f2-64d1a0583c02';
export const PEOPLE = 'e81d3b06-71c5-4f29-8d04-a93f5e27b603';
