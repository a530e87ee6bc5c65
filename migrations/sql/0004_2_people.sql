-- people

-- downgrade
-- people
