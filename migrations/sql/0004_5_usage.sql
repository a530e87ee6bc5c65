-- usage

-- downgrade
-- usage
