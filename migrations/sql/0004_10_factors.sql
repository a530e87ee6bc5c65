-- factors

-- downgrade
-- factors
