/** What the page of `remote_page.test.ts` can do. */

window.echo = (...values) => {
  window.reportProgress?.(`${values.length} values`);
  return values;
};
window.refuse = (message) => Promise.reject(new RangeError(message));
window.complain = () => {
  console.warn('harmless');
  console.error('wrong', 1);
  void Promise.reject(new Error('nobody waits'));
  setTimeout(() => {
    throw new Error('thrown');
  });
};
window.neverAnswer = () => new Promise(() => {});
