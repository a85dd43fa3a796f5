-- The three channels answer alike, and where 24 hours are over a template goes out: the one message that WhatsApp takes then.

-- The approved template by which the business reaches whom it may not write to: its name and language at Meta, and its
-- words, for whoever reads the conversation.
alter table public.channels
  add column template_name text check (template_name ~ '^[a-z0-9_]+$' and char_length(template_name) <= 512),
  add column template_language text check (template_language ~ '^[a-z]{2,3}(_[A-Z]{2})?$'),
  add column template_body text check (char_length(template_body) between 1 and 1024),
  add constraint channels_template check (num_nonnulls(template_name, template_language, template_body) in (0, 3)),
  add constraint channels_template_whatsapp check (template_name is null or kind = 'whatsapp');

-- The words of the template that may go to a conversation now; null where there is none, or where one went within a day:
-- a template is paid for, and a second one says nothing new.
create function private.template_for(p_tenant uuid, p_conversation uuid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select c.template_body from public.conversations v
  join public.channels c on c.tenant_id = p_tenant and c.id = v.channel_id
  where v.tenant_id = p_tenant and v.id = p_conversation and not exists (
    select from public.messages m where m.tenant_id = p_tenant and m.conversation_id = p_conversation
      and m.kind = 'template' and m.created_at > now() - interval '24 hours')
$$;

do $$
declare
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
  v_send text := pg_get_functiondef('public.claim_outbox(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_turn, '''state'', ''claimed'', ') > 0 and strpos(v_send, '''state'', ''claimed'', ') > 0;
  execute replace(v_turn, '''state'', ''claimed'', ',
    '''state'', ''claimed'', ''template'', private.template_for(p_tenant, p_conversation), ');
  execute replace(v_send, '''state'', ''claimed'', ', '''state'', ''claimed'', ''template'', case m.kind when ''template'' then '
    'jsonb_build_object(''name'', c.template_name, ''language'', c.template_language) end, ');
end $$;

-- By our own clock where Meta's whole seconds are the same: the first message, which answers nothing, came first.
do $$
declare
  v_pace text := pg_get_functiondef('private.pace(uuid, uuid)'::regprocedure);
begin
  assert strpos(v_pace, 'order by m.occurred_at desc limit 8') > 0;
  execute replace(v_pace, 'order by m.occurred_at desc limit 8', 'order by m.occurred_at desc, m.created_at desc limit 8');
end $$;

-- What came of an attempt to send: sent | unconfirmed | later | failed. What came too late for the window leaves a template
-- behind, where there is one; the sweep finds it.
create or replace function public.settle_outbox(p_tenant uuid, p_outbox uuid, p_fence bigint, p_result text, p_provider_id text,
  p_error text, p_delay integer) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_outbox public.outbox;
  v_template text;
  v_message uuid;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.outbox o set
    state = case when o.state not in ('pending', 'unconfirmed') then o.state when p_result = 'later' then 'pending' else p_result end,
    error = left(p_error, 200), claimed_until = null,
    next_attempt_at = case when p_result = 'later' then now() + make_interval(secs => p_delay) else o.next_attempt_at end
    where o.tenant_id = p_tenant and o.id = p_outbox and o.fence = p_fence
    returning * into v_outbox;
  if not found then
    raise exception 'claim lost' using errcode = 'P0001';
  end if;
  update public.messages m set
    provider_id = coalesce(m.provider_id, p_provider_id),
    status = case when p_result = 'failed' and m.status = 'queued' then 'failed'
      when p_result = 'sent' and m.status = 'queued' then 'sent' else m.status end,
    -- Our own clock: the provider's statuses, one of which may have come first, tell whole seconds only.
    sent_at = case when p_result = 'sent' then now() else m.sent_at end
    where m.tenant_id = p_tenant and m.id = v_outbox.message_id;
  if p_result = 'failed' and p_error in ('outside_window', '131047') then
    v_template := private.template_for(p_tenant, v_outbox.conversation_id);
    if v_template is not null then
      insert into public.messages (tenant_id, conversation_id, author, kind, body, status, occurred_at)
        values (p_tenant, v_outbox.conversation_id, 'assistant', 'template', v_template, 'queued', now())
        returning id into v_message;
      insert into public.outbox (tenant_id, conversation_id, message_id)
        values (p_tenant, v_outbox.conversation_id, v_message);
    end if;
  end if;
end $$;

-- As before, and p_text null sends the template instead, whatever the window; refused besides: no_template | too_long.
create or replace function public.write_as_person(p_tenant uuid, p_conversation uuid, p_key text, p_text text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message uuid := md5(p_tenant::text || p_conversation::text || p_key)::uuid;
  v_conversation public.conversations;
  v_kind text;
  v_text text := p_text;
  v_outbox uuid;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if char_length(p_text) not between 1 and 4096 or char_length(p_key) not between 8 and 64 then
    raise exception 'text must have 1 to 4096 characters, key 8 to 64' using errcode = '22023';
  end if;
  select * into v_conversation from public.conversations v
    where v.tenant_id = p_tenant and v.id = p_conversation for update;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  select o.id into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.message_id = v_message;
  if v_outbox is not null then
    return jsonb_build_object('outbox', v_outbox);
  end if;
  if exists (select from public.contacts k where k.tenant_id = p_tenant and k.id = v_conversation.contact_id
      and k.opted_out_at is not null) then
    return jsonb_build_object('refused', 'opted_out');
  end if;
  if p_text is null then
    v_text := private.template_for(p_tenant, p_conversation);
    if v_text is null then
      return jsonb_build_object('refused', 'no_template');
    end if;
  elsif v_conversation.last_inbound_at is null or v_conversation.last_inbound_at < now() - interval '24 hours' then
    return jsonb_build_object('refused', 'outside_window');
  end if;
  select c.kind into v_kind from public.channels c where c.tenant_id = p_tenant and c.id = v_conversation.channel_id;
  if (v_kind = 'messenger' and char_length(v_text) > 2000) or (v_kind = 'instagram' and octet_length(v_text) > 1000) then
    return jsonb_build_object('refused', 'too_long');
  end if;
  update public.conversations v set handled_by = 'person', taken_over_at = now()
    where v.tenant_id = p_tenant and v.id = p_conversation;
  insert into public.messages (id, tenant_id, conversation_id, author, kind, body, status, occurred_at)
    values (v_message, p_tenant, p_conversation, 'person', case when p_text is null then 'template' else 'text' end, v_text,
      'queued', now());
  insert into public.outbox (tenant_id, conversation_id, message_id)
    values (p_tenant, p_conversation, v_message) returning id into v_outbox;
  perform private.record_action(p_tenant, 'conversation.written', p_conversation);
  return jsonb_build_object('outbox', v_outbox);
end $$;

-- A member names the template of a channel, or takes it away (p_name null).
create function public.name_template(p_tenant uuid, p_channel uuid, p_name text, p_language text, p_body text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  update public.channels c set template_name = p_name, template_language = p_language, template_body = p_body
    where c.tenant_id = p_tenant and c.id = p_channel;
  if not found then
    raise exception 'not found' using errcode = '42501';
  end if;
  perform private.record_action(p_tenant, case when p_name is null then 'template.removed' else 'template.named' end, p_channel);
end $$;

grant update (template_name, template_language, template_body) on public.channels to portero_service;
grant execute on function public.name_template(uuid, uuid, text, text, text) to authenticated;
grant create on schema public, private to portero_service;
alter function private.template_for(uuid, uuid) owner to portero_service;
alter function public.name_template(uuid, uuid, text, text, text) owner to portero_service;
revoke create on schema public, private from portero_service;
