-- merchants

-- downgrade
-- merchants
