-- referrals

-- downgrade
-- referrals
