-- Coverage: which heights were scanned, by which provider, when.
SELECT 1;
