-- key: wave_id, measurer_id
-- What measurers posted in a wave of the proof of hardware. The verdicts follow from it (packages/waves).
create table wave_measurer (
  wave_id bigint not null,
  measurer_id integer not null,
  -- The last stage that it posted, or revealed.
  stage text not null,
  -- Root over what it received of the chase.
  chase_root text,
  -- Root over the answers that it received.
  answers_root text,
  -- What it committed to.
  commitment text,
  -- Root over the result of each device. Null: not revealed.
  results_root text,
  -- Root over the hash of each transcript.
  transcripts_root text,
  -- Hash of the list of devices that proved less than they claim.
  exceptions text
);

-- on WavePosted
select wave_id, measurer_id, block_number, log_index, jsonb_build_object(
  'stage', stage, case stage when 'chase' then 'chase_root' when 'answers' then 'answers_root' else 'commitment' end, root) as patch
from event

-- on WaveRevealed
select wave_id, measurer_id, block_number, log_index, jsonb_build_object(
  'stage', 'revealed', 'results_root', results, 'transcripts_root', transcripts, 'exceptions', exceptions)
from event
