-- subscriptions

-- downgrade
-- subscriptions
