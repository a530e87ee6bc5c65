SELECT * FROM claim_address('ethereum', 'inv_bench', now());
