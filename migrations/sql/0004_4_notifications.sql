-- notifications

-- downgrade
-- notifications
