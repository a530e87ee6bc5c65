-- Questions the API asks a watcher, and their answers.
SELECT 1;
